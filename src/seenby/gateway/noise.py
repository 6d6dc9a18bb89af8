"""Noise by OpenDP, which is installed where it is wanted: ``pip install seenby[noise]`` (docs/adr)."""

from __future__ import annotations

from functools import lru_cache

from seenby.attribute.noise import Draw
from seenby.errors import Refused
from seenby.model.grant import GrantTerms


def check_noise(terms: GrantTerms) -> None:
    """Raises Refused: there is none to be had for this grant."""
    if terms.noise is not None and not installed():
        raise Refused(
            "this grant answers with noise, and the gateway has none: OpenDP is not installed",
            hint="ask whoever runs the gateway for it (pip install seenby[noise]), or ask for a grant without noise",
        )


def noise(scale: float) -> Draw:
    """Draws from the discrete Laplace distribution of this scale, by OpenDP's own generator."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    measurement = dp.m.make_laplace(dp.atom_domain(T=int), dp.absolute_distance(T=int), scale=scale)
    return lambda: int(measurement(0))


@lru_cache(maxsize=1)
def installed() -> bool:
    """Whether OpenDP is there. Half a second, and 260 MB on disk: so only where somebody asks for noise."""
    try:
        import opendp.prelude  # noqa: F401
    except ImportError:
        return False
    return True

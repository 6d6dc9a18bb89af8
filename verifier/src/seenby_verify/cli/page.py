"""``seenby-verify page``: the browser's half of the verifier, one static file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from seenby_verify.cli.output import write_file


def page(out: Path | None = None, /) -> None:
    """Print where the page is that checks a person's bundle in a browser, or write a copy of it.

    It needs no server: open the file, and give it the bundle and the policy.

    Parameters
    ----------
    out
        The file to write, as in verify.html. Without it the path of the page is printed.
    """
    resource = files("seenby_verify").joinpath("page", "verify.html")
    if out is None:
        print(resource)
        return
    write_file(out, resource.read_bytes())
    print(out)

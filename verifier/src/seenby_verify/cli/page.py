"""``seenby-verify page``: the browser's half of the verifier, one static file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from seenby_verify.errors import UsageError
from seenby_verify.files import write_durably


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
    try:
        write_durably(out, resource.read_bytes())
    except (OSError, ValueError) as error:  # the latter: "/" and "." name no file
        why = error.strerror if isinstance(error, OSError) else "it names no file"
        raise UsageError(f"cannot write {out}: {why}", hint="give a file in a directory of yours") from None
    print(out)

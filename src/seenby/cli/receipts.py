"""``seenby receipts``: staff keep what proves that what they did is in the log; each is checked before it is kept."""

from __future__ import annotations

import json
import time
from pathlib import Path

from seenby.cli.grant import As, ConfigFile, Json, Key, Socket, open_client
from seenby.errors import UsageError, VerificationError
from seenby.stores.config import load_config
from seenby_verify.cli.plain import sentences
from seenby_verify.kept import Folder, check_due, collect, in_words
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.vkey import VerifierKey

WAIT_SECONDS = 60


def receipts(
    *,
    as_: As,
    key: Key,
    out: Path,
    wait: int = WAIT_SECONDS,
    log_key: str = "",
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Keep the receipts of your queries and of what you signed about grants: proof that the log holds each of them.

    An entry that is not public yet comes as the log's signed promise, N.promise; its receipt, N.tlog-proof, takes the
    promise's place as soon as it is there. Run it as often as you like: it asks for what is missing. Anybody can check
    the files: seenby-verify receipt N.tlog-proof --policy FILE. Exit status 1: the log broke a promise.

    Parameters
    ----------
    out
        The directory for the files; one for each region. It is made if it is not there.
    wait
        How many seconds to wait for receipts of what is only promised. Default: 60, the promise's delay; 0: do not.
    log_key
        The log's verifier key. Default: the file log.vkey that the gateway keeps beside its ledger.
    """
    folder = Folder(out, _trusted(log_key, config))
    with open_client(as_, key, config, socket) as client:
        collect(client.read, "/receipts", folder, wait)
    if json_:
        print(json.dumps(folder.to_json()))
    else:
        for sentence in in_words(folder, "everything that your sessions made and your key signed"):
            sentences().print(sentence, markup=False)
    check_due(folder, time.time())


def _trusted(log_key: str, config: Path | None) -> Policy:
    if log_key:
        text, where = log_key, "--log-key"
    elif config is None:
        raise UsageError("whose receipts? the log's key is missing", hint="give --config FILE, or --log-key KEY")
    else:
        file = load_config(config).state / "log.vkey"
        where = str(file)
        try:
            text = file.read_text().strip()
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}", hint="give --log-key KEY") from None
    try:
        return Policy.trusting(VerifierKey.parse(text))
    except VerificationError as error:
        raise UsageError(f"{where}: {error.message}", hint="it looks like NAME+HASH+BASE64") from None

"""What the session itself costs per point query: bytes in, decisions, bytes out; no socket, no ledger, no Postgres.

    .venv/bin/python -m bench.session_micro [--queries 50000] [--profile]

One prepared statement, then Bind, Execute, Sync with one parameter again and again; canned answers of one row; every
entry is durable at once. Prints the best of five runs, in microseconds per query.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time

from seenby.errors import NoGrant
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.plan import Bound, OutputKey, QueryPlan
from seenby.model.shape import Catalog, Shape
from seenby.session.access import Access, Usage
from seenby.session.record import RecordFacts
from seenby.session.session import Session
from seenby.wire import backend, frontend

TEXT = "select phone from accounts where id = $1"
PLAN = QueryPlan(
    sql='select a."seenby$1", a.phone from v.accounts a where a.id = $1',
    bound=Bound.EXACT,
    visible=1,
    keys=(OutputKey("account", (("accounts.phone", DataClass.CONTACT),)),),
    companion="select 1",
    tables=("accounts",),
    columns=("accounts.id", "accounts.phone"),
    classes=(DataClass.CONTACT,),
    parameters=1,
)
SAM = {"country": "IE", "entity": "Orbit Ireland Ltd", "role": "support", "unit": "Care"}
FACTS = RecordFacts(
    {
        "approvers": [{"unit": "Trust"}, {"unit": "Legal"}], "cells": [{"regions": ["eu"], "what": "contact"}],
        "grant": "6f" * 16, "principal": SAM, "purpose": "support", "reference": {"kind": "ticket"}, "region": "eu",
        "requester": SAM,
    },
    {
        "approvers": [{"name": "anna"}, {"name": "ben"}], "client": {"application": "psql", "network": "10.0.0.1"},
        "principal": {"name": "sam"}, "reference": {"id": "ticket:1"}, "requester": {"name": "sam"},
    },
)  # fmt: skip


def session() -> Session:
    terms = GrantTerms(
        "6f" * 16, "eu", "sam", "IE", "Orbit Ireland Ltd", "Care", "support", "support", "ticket:1",
        (Cell("contact", ("eu",)),), None, 0, 2**40, 10**9, 10**9, 2, 0,
    )  # fmt: skip
    nothing = frozenset[str]()
    catalog = Catalog("1", nothing, nothing, nothing, nothing, nothing, nothing, nothing, {})
    access = Access(terms, Shape("0" * 16, False, {}), catalog, Usage(0, set(), str.encode), RecordFacts({}, {}))
    access.plans[TEXT] = (PLAN,)
    return Session(access=access, no_access=NoGrant(""), facts=FACTS, clock=time.time, max_message=1 << 20, settings={})


def data_row(*values: bytes) -> bytes:
    body = len(values).to_bytes(2, "big") + b"".join(len(one).to_bytes(4, "big") + one for one in values)
    return backend.message(b"D", body)


def prepared() -> Session:
    """A session that has prepared the statement under the name ``p``."""
    made = session()
    made.client_data(frontend.parse(b"p", TEXT) + frontend.sync())
    fields = tuple(backend.Field(name, 25, -1, -1) for name in (b"seenby$1", b"phone"))
    made.server_data(
        backend.PARSE_DONE + backend.parameter_description((20,)) + backend.row_description(fields) + backend.ready("I")
    )
    return made


def run(queries: int) -> float:
    """Microseconds of processor time per query: other work on the machine counts less than on a wall clock."""
    made = prepared()
    conversation = []
    for number in range(1000):
        key = b"%d" % (number * 7919)
        values = b"\0\0\0\1" + len(key).to_bytes(4, "big") + key
        asked = frontend.bind(b"", b"p", values) + frontend.execute(b"") + frontend.sync()
        row = data_row(key, b"+447700%06d" % number)
        conversation.append(
            (asked, backend.BIND_DONE + row + backend.command_complete("SELECT 1") + backend.ready("I"))
        )
    client, server, recorded = made.client_data, made.server_data, made.recorded
    shown = 0
    started = time.process_time()
    for number in range(queries):
        asked, answer = conversation[number % 1000]
        client(asked)
        ((ticket, _),) = server(answer).records
        shown += len(recorded(ticket).to_client)
    seconds = time.process_time() - started
    assert shown == 3 * queries, "every row, tag and ReadyForQuery was shown"
    return seconds / queries * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true", help="where the time goes, instead")
    arguments = parser.parse_args()
    if arguments.profile:
        with cProfile.Profile() as profile:
            run(arguments.queries)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    best = min(run(arguments.queries) for _ in range(5))
    print(f"{best:.1f} us per query in the session (best of 5 runs of {arguments.queries})")


if __name__ == "__main__":
    main()

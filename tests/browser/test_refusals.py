"""Lies that are made on purpose, and texts that are nearly right: page and command line refuse the same ones."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import Regions
from seenby_verify.tlog.policy import Policy
from tests.browser.test_judge import case, python_verdict
from tests.fixtures.browser import PAGE, Browser
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import ORG, b64, label_proof, signed_note

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def page(browser: Browser) -> Browser:
    browser.open(PAGE.as_uri())
    return browser


def test_an_access_cannot_be_hidden_behind_a_forged_label_proof(page: Browser) -> None:
    """The newest access in August is left out and not counted; only the proof that it is absent must be made up."""
    world = World()
    bundle = world.bundle(world.ada, world.ada2)
    log = bundle["logs"][0]
    log["shown"] = [one for one in log["shown"] if (one["version"], one["epoch"], one["n"]) != (1, 202608, 2)]
    entry = log["epochs"][0]["keys"][0]
    assert entry["count"] == 3
    entry["count"] = 2
    # ada's label number 2 is the entry that is hidden: where its path ends under the real root, it is.
    real = world.eu.labels[202608]
    hidden = next(one for one in world.eu.placed if (one.person, one.epoch, one.n) == (world.ada, 202608, 2))
    label = world.eu.entries[hidden.index][6:38]
    assert label in real
    without = label_proof([one for one in real if one != label], label)
    near = label_proof(real, label)
    other = bytes([label[0] ^ 1]) + label[1:]
    proofs = {
        "of the set without it": without,
        "of the whole set": near,
        "another leaf": {**near, "leaf": b64(other)},
        "a lone leaf": {"leaf": b64(other), "steps": []},
        "nothing": {"leaf": None, "steps": []},
        "nothing, with steps": {"leaf": None, "steps": near["steps"]},
        "steps out of order": {"leaf": without["leaf"], "steps": without["steps"][::-1]},
        "a step twice": {"leaf": without["leaf"], "steps": [without["steps"][0], *without["steps"]]},
        "a step less": {"leaf": without["leaf"], "steps": without["steps"][1:]},
    }
    cases = []
    for proof in proofs.values():
        entry["absent"] = proof
        cases.append(case(world, copy.deepcopy(bundle)))
    answers = page.check(cases)
    assert [python_verdict(one) for one in cases] == [(False, 6)] * len(cases)
    assert {name: (one["ok"], one["step"]) for name, one in zip(proofs, answers, strict=True)} == dict.fromkeys(
        proofs, (False, 6)
    )
    assert not [one for one in answers if "could not finish" in one["message"]]


def test_lists_of_regions_that_are_not_as_the_format_says(page: Browser) -> None:
    """Signed by the organisation all the same (docs/formats/trust.md, List of regions)."""
    world = World()
    eu, us = (f"{log.region} {log.vkey}\n" for log in world.logs)
    right = f"seenby/regions/v1\n{ORG}\n2\n{eu}{us}"
    texts = {
        "as it should be": right,
        "another version": right.replace("v1", "v2", 1),
        "another organisation": right.replace(ORG, "other.example", 1),
        "a serial number of 0": right.replace("\n2\n", "\n0\n"),
        "a serial number 02": right.replace("\n2\n", "\n02\n"),
        "not sorted": f"seenby/regions/v1\n{ORG}\n2\n{us}{eu}",
        "a region twice": right + us,
        "a log twice": right + us.replace("us ", "uz ", 1),
        "no region": f"seenby/regions/v1\n{ORG}\n2\n",
        "an empty line": right.replace(eu, f"{eu}\n"),
        "two spaces": right.replace("eu eu", "eu  eu"),
        "a key cut short": right[:-5] + "\n",
        "a key id that does not fit": right.replace(world.us.vkey.id.hex(), "00000000"),
        "a third region": f"{right}zz {dataclasses.replace(world.us.vkey, name='zz.log', key=bytes(32))}\n",
    }
    cases = []
    for text in texts.values():
        document = signed_note(text.encode(), ORG, world.org)

        def spoil(what: str, value: Any, document: bytes = document) -> Any:
            return dataclasses.replace(value, document=document) if isinstance(value, Regions) else value

        told = World(spoil=spoil)
        bundle = told.bundle(told.ada, told.ada2)
        cases.append(case(told, bundle))
    answers = page.check(cases)
    for name, one, answer in zip(texts, cases, answers, strict=True):
        assert (answer["ok"], answer["step"]) == python_verdict(one), (name, answer)
        assert (answer["ok"], answer["step"]) == ((True, 8) if name == "as it should be" else (False, 3)), name
        assert "could not finish" not in answer["message"], (name, answer)


def test_policies_are_read_as_the_command_line_reads_them(page: Browser) -> None:
    world = World()
    right = world.policy()
    log, _, news, uni, ngo, group, quorum = right.splitlines(keepends=True)
    key = str(world.eu.vkey)
    texts = {
        "right": right,
        "comments and blanks": f"# whom I trust\n\n  # and\n{right.replace(' ', chr(9) + ' ')}",
        "no witnesses": f"{log}quorum none\n",
        "any": right.replace("outside 2", "outside any"),
        "all": right.replace("outside 2", "outside all"),
        "a group in a group": right.replace(quorum, "group g all outside\nquorum g\n"),
        "no last line end": right[:-1],
        "no quorum": right.replace(quorum, ""),
        "two quorums": right + quorum,
        "a quorum of nobody": right.replace("quorum outside", "quorum inside"),
        "a threshold of 0": right.replace("outside 2", "outside 0"),
        "a threshold of 4": right.replace("outside 2", "outside 4"),
        "a threshold of 02": right.replace("outside 2", "outside 02"),
        "a threshold with a strange name": right.replace("outside 2", "outside constructor"),
        "a member who is nobody": right.replace("uni ngo\n", "uni nil\n"),
        "a member twice": right.replace("uni ngo\n", "uni uni\n"),
        "a group of itself": right.replace("uni ngo\n", "uni outside\n"),
        "a name twice": right + uni,
        "none is defined": right.replace("witness new", "witness none"),
        "a log twice": log + right,
        "a log's key for a witness": f"{log}witness w {key}\nquorum w\n",
        "a witness's key for a log": right.replace("log eu", "log x").replace(key, news.split()[2]),
        "an unknown line": f"hello\n{right}",
        "a log without a key": f"log\n{right}",
        "a control character": right.replace("quorum", "\x0bquorum"),
        "a carriage return": right.replace("\n", "\r\n"),
        "a key id that does not fit": right.replace(world.eu.vkey.id.hex(), "ffffffff"),
        "nothing": "",
    }
    assert ngo in right
    assert group in right
    answers = page.script(
        """
        return Promise.all(arguments[0].map(async (text) => {
          try {
            const { logs, witnesses, groups } = await parsePolicy(new TextEncoder().encode(text));
            return [logs.length, witnesses.length, groups.size];
          } catch (error) {
            return error instanceof Failure ? null : String(error);
          }
        }));
        """,
        list(texts.values()),
    )
    expected: dict[str, list[int] | None] = {}
    for name, text in texts.items():
        try:
            policy = Policy.parse(text.encode())
            expected[name] = [len(policy.logs), len(policy.witnesses), len(policy.groups)]
        except VerificationError:
            expected[name] = None
    assert dict(zip(texts, answers, strict=True)) == expected
    assert [name for name, value in expected.items() if value is not None] == list(texts)[:6]
    assert json.dumps(expected["right"]) == "[2, 3, 1]"

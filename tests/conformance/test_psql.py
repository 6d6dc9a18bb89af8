"""psql 18 through the gateway, as a person at a terminal meets it: what works, and how every refusal reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from tests.fixtures.gateway import AS_THE_GATEWAY, Served, everything
from tests.fixtures.psql import Psql, PsqlRun

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]


@pytest.fixture(scope="module")
def whole(served: Served) -> Iterator[str]:
    """A grant that shows everything."""
    grant = everything(served, "marta.silva")
    yield served.dsn("marta.silva", grant)
    served.revoke("marta.silva", grant)


@pytest.fixture(scope="module")
def narrow(served: Served) -> Iterator[str]:
    """Contact data in eu."""
    grant = served.grant("jonas.weber", ("contact", ["eu"]))
    yield served.dsn("jonas.weber", grant)
    served.revoke("jonas.weber", grant)


def direct(served: Served) -> str:
    return make_conninfo(served.world.regions["eu"].running.dsn("platform"), options=AS_THE_GATEWAY)


SAME = (
    "SELECT id, handle, phone, birth_date FROM accounts ORDER BY id LIMIT 5;",
    "\\x\nSELECT * FROM videos ORDER BY id LIMIT 2;",
    "SELECT 1; SELECT 'two'; SELECT NULL;",
    "SELECT id, interests, settings FROM accounts ORDER BY id LIMIT 3 \\gdesc",
    "SELECT $1::int + 1, $2 \\bind 41 text \\g",
    "SELECT handle FROM accounts WHERE id = $1 \\parse p\n\\bind_named p 1000000042 \\g\n\\close_prepared p",
    "SELECT id AS n FROM accounts ORDER BY id LIMIT 1 \\gset\n\\echo :n\nSELECT :n + 1;",
    "SELECT country, source, count(*) FROM watch_events w JOIN accounts a ON a.id = w.account_id GROUP BY 1, 2 "
    "ORDER BY 1, 2 \\crosstabview country source",
    "BEGIN;\nSELECT 1;\nSAVEPOINT a;\nSELECT 1/0;\nROLLBACK TO a;\nSELECT 2;\nCOMMIT;",
    "BEGIN;\nSELECT 1/0;\nSELECT 1;\nCOMMIT;",
    "\\set AUTOCOMMIT off\nSELECT 1;\nSELECT 2;\nROLLBACK;",
    "\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1/0;\nSELECT 1;\nCOMMIT;",
    "\\set FETCH_COUNT 0\nSELECT count(*) FROM videos;",
    "SELECT 'a;b', $$c;d$$, E'\\'' /* ; */ -- ;\n;",
    "\\pset null NIL\nSELECT NULL;",
    "\\copyright",
    "\\echo :ENCODING :SERVER_VERSION_NUM",
    "\\encoding",
    ";",
    "",
)


@pytest.mark.parametrize("script", SAME)
def test_the_same_as_without_seenby(served: Served, whole: str, psql: Psql, script: str) -> None:
    """Everything on standard output is equal. On the error stream: Postgres's words may have ours in their place."""
    through, expected = psql(whole, script), psql(direct(served), script)
    assert (through.stdout, through.code) == (expected.stdout, expected.code)
    assert through.stderr.count("ERROR:") == expected.stderr.count("ERROR:")


CARETS = (
    "SELECT id frm accounts WHERE;",
    "selct 1;",
    "SELECT 'üü€😀', id FROM accounts WHERE WHERE;",
    "SELECT 1,\n  2,\n  FROM accounts;",
    "help me;",
    "SELECT * FROM accounts WHERE id = ;",
    "SELECT (1;",
)


@pytest.mark.parametrize("script", CARETS)
def test_a_syntax_error_shows_the_same_place(served: Served, whole: str, psql: Psql, script: str) -> None:
    through, expected = psql(whole, script), psql(direct(served), script)
    assert through == expected
    assert "^" in through.stderr


def test_several_statements_after_c(whole: str, served: Served, psql: Psql) -> None:
    options = ("-c", "SELECT 1; SELECT handle FROM accounts ORDER BY id LIMIT 1", "-c", "SELECT 2")
    assert psql(whole, "", *options).stdout == psql(direct(served), "", *options).stdout
    broken = psql(whole, "", "-c", "SELECT 1; SELECT iban FROM nothing", "-v", "ON_ERROR_STOP=1")
    assert broken.code == 1
    single = psql(whole, "SELECT 1;\nSELECT 2;\n", "-1")
    assert (single.code, single.stderr) == (0, "")


def test_the_backslash_commands_a_newcomer_types(narrow: str, psql: Psql) -> None:
    """Only tables of the grant, no name of ours."""
    tables = psql(narrow, "\\dt")
    assert re.findall(r"public \| (\w+)", tables.stdout) == [
        "accounts", "comments", "contacts", "countries", "sounds", "staff", "videos",
    ]  # fmt: skip
    for command in (
        "\\d", "\\dt", "\\dt+", "\\d accounts", "\\d+ contacts", "\\di", "\\dv", "\\dn", "\\dT", "\\df", "\\dp", "\\l",
        "\\du",        "\\dx", "\\db", "\\conninfo", "\\dconfig", "\\d nothing_such", "\\dD", "\\des", "\\dy", "\\drds",
    ):  # fmt: skip
        said = psql(narrow, command)
        assert "seenby_v_" not in said.stdout + said.stderr, command
        assert "payments" not in said.stdout, command
        assert "ERROR" not in said.stderr or "HINT" in said.stderr, (command, said.stderr)


def test_conninfo_and_timing(narrow: str, psql: Psql) -> None:
    said = psql(narrow, "\\conninfo\n\\timing on\nSELECT 1;")
    assert re.search(r"Client User +\| jonas.weber", said.stdout)
    assert re.search(r"Database +\| platform", said.stdout)
    assert re.search(r"Superuser +\| off", said.stdout)
    assert re.search(r"Time: [0-9.]+ ms", said.stdout)
    assert said.stderr == ""


REFUSED = (
    "INSERT INTO accounts (id) VALUES (1);", "UPDATE accounts SET phone = 'x';", "DELETE FROM accounts;",
    "TRUNCATE accounts;", "MERGE INTO accounts a USING accounts b ON a.id = b.id WHEN MATCHED THEN DELETE;",
    "DROP TABLE accounts;", "CREATE TABLE x (i int);", "CREATE TEMP TABLE x AS SELECT 1;",
    "CREATE VIEW v AS SELECT 1;", "CREATE INDEX ON accounts (id);", "ALTER TABLE accounts ADD x int;",
    "ALTER ROLE postgres SUPERUSER;", "CREATE EXTENSION dblink;", "GRANT ALL ON accounts TO public;",
    "COPY payments TO STDOUT;", "COPY (SELECT iban FROM payments) TO STDOUT;", "COPY accounts FROM '/tmp/x';",
    "COPY accounts TO '/tmp/x';", "\\copy payments to '/dev/null'",
    "EXPLAIN SELECT 1;", "EXPLAIN ANALYZE SELECT id FROM accounts;",
    "SET ROLE postgres;", "SET SESSION AUTHORIZATION postgres;", "SET search_path = pg_catalog;",
    "SET work_mem = '1GB';",
    "SHOW data_directory;", "LISTEN x;", "NOTIFY x;", "DO $$BEGIN END$$;", "CALL x();",
    "LOCK accounts;", "VACUUM;", "ANALYZE accounts;", "CHECKPOINT;", "LOAD 'x';", "PREPARE p AS DELETE FROM accounts;",
    "EXECUTE p;", "DECLARE c SCROLL CURSOR FOR SELECT 1;", "FETCH ALL FROM c;", "MOVE 5 FROM c;", "CLOSE c;",
    "PREPARE TRANSACTION 'x';", "SELECT pg_sleep(1);", "SELECT random();", "SELECT * FROM payments;",
    "SELECT iban FROM payments;", "SELECT gps FROM accounts;", "SELECT interests FROM accounts;",
    "SELECT * FROM credentials;", "SELECT * FROM nothing_such;", "SELECT nothing_such FROM accounts;",
    "SELECT nothing_such(1);", "SELECT * FROM accounts FOR UPDATE;", "SELECT id INTO x FROM accounts;",
    "SELECT id FROM accounts WHERE full_name = 'x';", "SELECT * FROM accounts TABLESAMPLE SYSTEM (1);",
    "SELECT accounts FROM accounts;", "SELECT ctid FROM accounts;", "SELECT * FROM other.accounts;",
    "SELECT id::nothing FROM accounts;", "SELECT '{{{{'::regclass;", "SELECT current_setting('data_directory');",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;",
    "SELECT set_config('work_mem', '1', false);", "SELECT id FROM accounts a JOIN contacts c ON a.id = c.account_id;",
    "SELECT phone::int FROM accounts;", "SELECT 1/0;", "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z;",
    "SECURITY LABEL ON TABLE accounts IS 'x';", "COMMENT ON TABLE accounts IS 'x';", "REINDEX TABLE accounts;",
    "CLUSTER accounts;", "REFRESH MATERIALIZED VIEW x;", "ALTER SYSTEM SET work_mem = 1;",
)  # fmt: skip

OWN_WORDS = ("ambiguous", "does not exist", "cannot insert")
"""Postgres's own analysis errors say what is wrong by themselves."""


def test_every_refusal_says_what_and_what_to_do_next(narrow: str, psql: Psql) -> None:
    """One session types all of them: each has an ERROR and a HINT, none ends it, none names anything of ours."""
    wrong = []
    script = "\n".join(f"\\echo ---\n\\warn ---\n{statement}\nROLLBACK;" for statement in REFUSED)
    said = psql(narrow, script + "\n\\echo ---\nSELECT 'still here';")
    assert "still here" in said.stdout
    told = said.stderr.split("---\n")[1:]
    assert len(told) == len(REFUSED)
    for statement, words in zip(REFUSED, told, strict=True):
        ours = re.search(r"seenby_[a-z]_|seenby\$", words)
        if "ERROR:" not in words or ours or ("HINT:" not in words and not any(one in words for one in OWN_WORDS)):
            wrong.append((statement, words))
    assert not wrong


def test_a_refusal_reads_like_this(narrow: str, psql: Psql) -> None:
    said = psql(
        narrow,
        "SELECT iban FROM payments;\nSELECT id FROM accounts WHERE full_name = 'x';\nINSERT INTO videos VALUES (1);",
    )
    lines = said.stderr.splitlines()
    assert lines[0].startswith("ERROR:  column payments.iban is payment data, and this grant gives ")
    assert "ask for it: seenby grant request --class payment" in lines[1]
    assert "full_name" in lines[2]
    assert "seenby grant request" in lines[3]
    assert lines[4] == "ERROR:  this grant does not insert rows into videos: it only reads there"


def test_who_has_no_grant_learns_how_to_ask(served: Served, psql: Psql) -> None:
    said: PsqlRun = psql(served.dsn("ruth.adeyemi"), "SELECT phone FROM accounts;\n\\dt\n\\conninfo")
    assert said.stderr.startswith(
        "ERROR:  ruth.adeyemi has no active grant: nobody approved access to anybody's data\nHINT:"
    )
    assert "seenby grant request --as ruth.adeyemi" in said.stderr
    assert "ruth.adeyemi" in said.stdout  # \conninfo

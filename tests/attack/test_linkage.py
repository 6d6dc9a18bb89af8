"""The journalist case: whose employee's phone was where a journalist's phone was?

Auditors of such a platform once looked up journalists' addresses and held them against those of employees, to find
whom they had met. The analysis refuses to compare people by where they are and what they use, in whatever spelling,
unless the grant's purpose is one of those that the data map lists for it. Every spelling here finds the employee when
it runs under such a purpose: none is refused for another reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.conformance.staff.grants import Kind, make
from tests.fixtures.gateway import Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

JOURNALIST, EMPLOYEE = 1_000_000_077, 1_000_000_091
PLACE = "'198.19.255.1'"
WIDE = Kind("security", ("behaviour", "device", "identity", "location"), None, 5_000, 100_000)
TWO = replace(WIDE, people=(JOURNALIST, EMPLOYEE))
LINKING = "security-investigation"

MINE = f"SELECT l.ip FROM logins l JOIN devices d ON d.id = l.device_id WHERE d.account_id = {JOURNALIST}"
SEEN = """SELECT a.id, a.is_employee, l.ip, l.at, l.device_id
    FROM accounts a JOIN devices d ON d.account_id = a.id JOIN logins l ON l.device_id = d.id"""

SPELLINGS = {
    "JOIN": f"""SELECT e.id FROM logins l JOIN devices d ON d.id = l.device_id JOIN logins m ON m.ip = l.ip
        JOIN devices f ON f.id = m.device_id JOIN accounts e ON e.id = f.account_id
        WHERE d.account_id = {JOURNALIST} AND e.is_employee""",
    "comma": f"""SELECT e.id FROM logins l, devices d, logins m, devices f, accounts e WHERE d.id = l.device_id
        AND f.id = m.device_id AND e.id = f.account_id AND d.account_id = {JOURNALIST} AND l.ip = m.ip
        AND e.is_employee""",
    "IN": f"SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND x.ip IN ({MINE})",
    "= ANY": f"SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND x.ip = ANY ({MINE})",
    "= ANY (ARRAY)": f"SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND x.ip = ANY (ARRAY({MINE}))",
    "NOT IN": f"SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND NOT (x.ip NOT IN ({MINE}))",
    "row IN": f"SELECT x.id FROM ({SEEN}) x WHERE (x.is_employee, x.ip) IN (SELECT true, ip FROM ({MINE}) m)",
    "EXISTS": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND EXISTS
        (SELECT 1 FROM ({MINE}) m WHERE m.ip = x.ip)""",
    "NOT EXISTS": f"""SELECT a.id FROM accounts a WHERE a.is_employee AND NOT (NOT EXISTS
        (SELECT 1 FROM ({SEEN}) x, ({MINE}) m WHERE x.id = a.id AND m.ip = x.ip))""",
    "INTERSECT": f"SELECT ip FROM ({SEEN}) x WHERE is_employee INTERSECT {MINE}",
    "EXCEPT": f"""SELECT ip FROM ({SEEN}) x WHERE is_employee
        EXCEPT (SELECT ip FROM ({SEEN}) y WHERE id NOT IN ({JOURNALIST}, {EMPLOYEE}))""",
    "UNION": f"""SELECT count(*) FROM (SELECT ip FROM ({SEEN}) x WHERE is_employee UNION {MINE}) u
        HAVING count(*) < (SELECT count(*) FROM ({SEEN}) z WHERE is_employee OR id = {JOURNALIST})""",
    "CTE": f"""WITH mine AS ({MINE}), theirs AS (SELECT x.id, x.ip FROM ({SEEN}) x WHERE x.is_employee)
        SELECT theirs.id FROM theirs JOIN mine USING (ip)""",
    "one CTE, twice": f"""WITH seen AS ({SEEN}) SELECT b.id FROM seen a JOIN seen b ON a.ip = b.ip
        WHERE a.id = {JOURNALIST} AND b.is_employee""",
    "NATURAL JOIN": f"SELECT x.id FROM (SELECT id, ip FROM ({SEEN}) s WHERE is_employee) x NATURAL JOIN ({MINE}) m",
    "a function in FROM": f"SELECT x.id FROM unnest(ARRAY({MINE})) u JOIN ({SEEN}) x ON x.ip = u WHERE x.is_employee",
    "a function in FROM, of an aggregate": f"""SELECT x.id FROM unnest((SELECT array_agg(m.ip) FROM ({MINE}) m)) u (ip)
        JOIN ({SEEN}) x USING (ip) WHERE x.is_employee""",
    "texts of a function in FROM": f"""SELECT x.id FROM string_to_table((SELECT string_agg(host(m.ip), ',')
        FROM ({MINE}) m), ',') u JOIN ({SEEN}) x ON host(x.ip) = u WHERE x.is_employee""",
    "two functions in FROM": f"""SELECT 1 FROM unnest(ARRAY({MINE})) a (u)
        JOIN unnest(ARRAY(SELECT ip FROM ({SEEN}) x WHERE is_employee)) b (u) USING (u)""",
    "IN over a function": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee
        AND x.ip IN (SELECT u FROM unnest(ARRAY({MINE})) u)""",
    "LATERAL": f"""SELECT x.id FROM ({MINE}) m CROSS JOIN LATERAL
        (SELECT s.id FROM ({SEEN}) s WHERE s.ip = m.ip AND s.is_employee) x""",
    "outer join": f"""SELECT x.id FROM ({SEEN}) x LEFT JOIN ({MINE}) m ON m.ip = x.ip
        WHERE m.ip IS NOT NULL AND x.is_employee""",
    "GROUP BY": f"""SELECT x.ip, array_agg(x.id) FROM ({SEEN}) x WHERE x.is_employee OR x.id = {JOURNALIST}
        GROUP BY x.ip HAVING count(DISTINCT x.id) > 1""",
    "GROUP BY of UNION ALL": f"""SELECT u.ip FROM (SELECT 'j' AS who, ip FROM ({MINE}) m UNION ALL
        SELECT 'e', ip FROM ({SEEN}) x WHERE is_employee) u GROUP BY u.ip HAVING count(DISTINCT u.who) = 2""",
    "GROUP BY an expression": f"""SELECT host(x.ip) AS h FROM ({SEEN}) x WHERE x.is_employee OR x.id = {JOURNALIST}
        GROUP BY h HAVING count(DISTINCT x.id) > 1""",
    "ROLLUP": f"""SELECT x.ip, x.id, count(DISTINCT x.id) FROM ({SEEN}) x WHERE x.is_employee OR x.id = {JOURNALIST}
        GROUP BY ROLLUP (x.ip, x.id) HAVING count(DISTINCT x.id) > 1 AND x.ip IS NOT NULL""",
    "PARTITION BY": f"""SELECT id FROM (SELECT x.id, x.is_employee,
        bool_or(x.id = {JOURNALIST}) OVER (PARTITION BY x.ip) AS met FROM ({SEEN}) x) w WHERE w.met AND
        w.is_employee""",
    "WINDOW": f"""SELECT id FROM (SELECT x.id, x.is_employee, min(x.id) OVER w AS first FROM ({SEEN}) x
        WHERE x.is_employee OR x.id = {JOURNALIST} WINDOW w AS (PARTITION BY x.ip)) w
        WHERE first = {JOURNALIST} AND is_employee""",
    "ORDER BY in a window": f"""SELECT id FROM (SELECT x.id, x.is_employee, lag(x.id) OVER (ORDER BY x.ip,
        x.id) AS before
        FROM ({SEEN}) x) w WHERE before = {JOURNALIST} AND is_employee""",
    "lag of the value": f"""SELECT id FROM (SELECT x.id, x.ip = lag(x.ip) OVER (ORDER BY x.at) AS same FROM ({SEEN}) x
        WHERE x.is_employee OR x.id = {JOURNALIST}) w WHERE same""",
    "array overlap": f"""SELECT a.id FROM accounts a WHERE a.is_employee
        AND ARRAY(SELECT x.ip FROM ({SEEN}) x WHERE x.id = a.id) && ARRAY({MINE})""",
    "arrays in a subquery": f"""SELECT 1 FROM (SELECT (SELECT array_agg(x.ip) FROM ({SEEN}) x WHERE
        x.is_employee) AS theirs,
        (SELECT array_agg(m.ip) FROM ({MINE}) m) AS mine) b WHERE b.mine && b.theirs""",
    "one array": f"""SELECT 1 FROM (SELECT array_agg(x.ip ORDER BY x.id) AS ips FROM ({SEEN}) x
        WHERE x.at > now() - interval '9 years' AND x.ip = {PLACE}) b WHERE b.ips[1] = b.ips[2]""",
    "unnest": f"""SELECT 1 FROM (SELECT array_agg(x.ip) AS ips FROM ({SEEN}) x WHERE x.is_employee) b,
        unnest(b.ips) AS one WHERE one IN ({MINE})""",
    "correlated scalar": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee
        AND (SELECT count(*) FROM ({MINE}) m WHERE m.ip = x.ip) > 0""",
    "scalar": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee
        AND x.ip = (SELECT max(m.ip) FROM ({MINE}) m)""",
    "aggregates with FILTER": f"""SELECT 1 FROM ({SEEN}) x HAVING max(x.ip) FILTER (WHERE x.is_employee)
        = max(x.ip) FILTER (WHERE x.id = {JOURNALIST})""",
    "aggregates, outside": f"""SELECT 1 FROM (SELECT max(x.ip) FILTER (WHERE x.is_employee) AS e,
        max(x.ip) FILTER (WHERE x.id = {JOURNALIST}) AS j FROM ({SEEN}) x) b WHERE b.e = b.j""",
    "count DISTINCT": f"""SELECT 1 FROM ({SEEN}) x WHERE (x.is_employee OR x.id = {JOURNALIST})
        HAVING count(DISTINCT x.ip) < count(x.ip)""",
    "DISTINCT": f"""SELECT 1 FROM (SELECT DISTINCT ip FROM ({SEEN}) x WHERE is_employee OR id = {JOURNALIST}) d
        HAVING count(*) < (SELECT count(*) FROM ({SEEN}) z WHERE is_employee OR id = {JOURNALIST})""",
    "DISTINCT ON": f"""SELECT 1 FROM (SELECT DISTINCT ON (x.ip) x.id FROM ({SEEN}) x WHERE x.is_employee OR
        x.id = {JOURNALIST}) d
        HAVING count(*) < (SELECT count(*) FROM ({SEEN}) z WHERE is_employee OR id = {JOURNALIST})""",
    "BETWEEN": f"SELECT x.id FROM ({SEEN}) x JOIN ({MINE}) m ON m.ip BETWEEN x.ip AND x.ip WHERE x.is_employee",
    "containment": f"""SELECT x.id FROM ({SEEN}) x JOIN ({MINE}) m ON m.ip << set_masklen(x.ip::cidr, 24)
        WHERE x.is_employee""",
    "as text": f"SELECT x.id FROM ({SEEN}) x, ({MINE}) m WHERE host(m.ip) || '/' = host(x.ip) || '/' AND x.is_employee",
    "strpos": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee
        AND strpos((SELECT string_agg(host(m.ip), ',') FROM ({MINE}) m), host(x.ip)) > 0""",
    "CASE": f"SELECT x.id FROM ({SEEN}) x, ({MINE}) m WHERE CASE m.ip WHEN x.ip THEN x.is_employee ELSE false END",
    "NULLIF": f"SELECT x.id FROM ({SEEN}) x, ({MINE}) m WHERE NULLIF(m.ip, x.ip) IS NULL AND x.is_employee",
    "output": f"""SELECT w.id FROM (SELECT x.id, m.ip = x.ip AS met FROM ({SEEN}) x, ({MINE}) m WHERE x.is_employee) w
        WHERE w.met""",
    "ORDER BY": f"SELECT x.id FROM ({SEEN}) x, ({MINE}) m WHERE x.is_employee ORDER BY m.ip = x.ip DESC LIMIT 1",
    "WITH RECURSIVE": f"""WITH RECURSIVE r (id, ip, n) AS (SELECT a.id, NULL::inet, 0 FROM accounts a
        WHERE a.id = {JOURNALIST} UNION ALL SELECT x.id, x.ip, r.n + 1 FROM r, ({SEEN}) x WHERE r.n < 2
        AND (r.ip IS NULL AND x.id = {JOURNALIST} OR r.n = 1 AND r.ip = x.ip AND x.is_employee))
        SELECT id FROM r WHERE n = 2""",
    "VALUES": f"""SELECT x.id FROM ({SEEN}) x WHERE x.is_employee AND x.ip IN (VALUES ((SELECT max(ip) FROM
        ({MINE}) m)))""",
    "devices": f"""SELECT b.account_id FROM devices a JOIN devices b ON a.ad_id = b.ad_id
        WHERE a.account_id = {JOURNALIST} AND b.account_id <> a.account_id""",
    "places": f"""SELECT f.account_id FROM positions p JOIN devices d ON d.id = p.device_id, positions q JOIN devices f
        ON f.id = q.device_id WHERE d.account_id = {JOURNALIST} AND f.account_id <> d.account_id
        AND abs(p.latitude - q.latitude) < 0.001""",
    "an equality that holds elsewhere": f"""SELECT e.account_id FROM logins l JOIN devices d ON d.id = l.device_id
        JOIN logins m ON m.ip = l.ip JOIN devices e ON e.id = m.device_id
        LEFT JOIN accounts z ON z.id = d.account_id AND z.id = e.account_id
        WHERE d.account_id = {JOURNALIST} AND z.id IS NULL""",
    "an equality in a subquery": f"""SELECT e.account_id FROM logins l JOIN devices d ON d.id = l.device_id
        JOIN logins m ON m.ip = l.ip JOIN devices e ON e.id = m.device_id
        WHERE d.account_id = {JOURNALIST} AND e.account_id <> d.account_id AND NOT EXISTS
        (SELECT 1 FROM accounts z WHERE z.id = d.account_id AND z.id = e.account_id)""",
    "an equality behind OR": f"""SELECT e.account_id FROM logins l JOIN devices d ON d.id = l.device_id
        JOIN logins m ON m.ip = l.ip JOIN devices e ON e.id = m.device_id
        WHERE d.account_id = {JOURNALIST} AND (d.account_id = e.account_id OR e.account_id > 0)
        AND e.account_id <> d.account_id""",
    "an equality that a join may miss": f"""SELECT e.account_id FROM logins l JOIN devices d ON d.id = l.device_id
        JOIN logins m ON m.ip = l.ip JOIN devices e ON e.id = m.device_id
        LEFT JOIN accounts z ON d.account_id = e.account_id AND z.id = 0
        WHERE d.account_id = {JOURNALIST} AND e.account_id <> d.account_id""",
    "GROUP BY a person who may be missing": """SELECT l.ip FROM logins l
        LEFT JOIN devices d ON d.id = l.device_id AND d.model = 'none'
        GROUP BY d.account_id, l.ip HAVING count(DISTINCT l.device_id) > 1""",
    "a window that another adds to": f"""SELECT id FROM (SELECT x.id, x.is_employee, lag(x.id) OVER w AS before
        FROM ({SEEN}) x WHERE x.is_employee OR x.id = {JOURNALIST}
        WINDOW v AS (PARTITION BY x.ip), w AS (v ORDER BY x.id)) w WHERE before = {JOURNALIST} AND is_employee""",
    "one list, taken apart twice": f"""SELECT q->>'who' FROM (SELECT jsonb_agg(jsonb_build_object('who', x.id,
        'ip', x.ip)) AS j
        FROM ({SEEN}) x WHERE x.is_employee OR x.id = {JOURNALIST}) b, jsonb_array_elements(b.j) p,
        jsonb_array_elements(b.j) q WHERE p->>'ip' = q->>'ip' AND p->>'who' = '{JOURNALIST}' AND q->>'who' <>
        '{JOURNALIST}'""",
    "keys of an object": f"""SELECT 1 FROM (SELECT jsonb_object_agg(host(x.ip), x.id) AS o FROM ({SEEN}) x
        WHERE x.ip = {PLACE}) b WHERE b.o <> '{{}}'""",
    "halves of a UNION ALL": f"""SELECT b.who FROM (SELECT {JOURNALIST} AS who, ip FROM ({MINE}) m UNION ALL
        SELECT id, ip FROM ({SEEN}) x WHERE is_employee) a JOIN (SELECT {JOURNALIST} AS who, ip FROM ({MINE}) m
        UNION ALL
        SELECT id, ip FROM ({SEEN}) x WHERE is_employee) b ON a.ip = b.ip AND a.who < b.who""",
}  # fmt: skip

AROUND = {
    "COPY": "COPY ({}) TO STDOUT",
    "PREPARE": "PREPARE met AS {}",
    "DECLARE": "DECLARE met CURSOR FOR {}",
    "WITH": "WITH met AS ({}) SELECT 1",
    "behind another statement": "SELECT 1; {}",
}

ONE_PERSONS = {
    "addresses": f"""SELECT l.ip, min(l.at), count(*) FROM logins l JOIN devices d ON d.id = l.device_id
        WHERE d.account_id = {JOURNALIST} GROUP BY l.ip""",
    "by subquery": f"""SELECT DISTINCT l.ip FROM logins l WHERE l.device_id IN
        (SELECT id FROM devices WHERE account_id = {JOURNALIST}) AND l.device_id = {JOURNALIST}""",
    "each person's": """SELECT d.account_id, l.ip, count(*) FROM logins l JOIN devices d ON d.id = l.device_id
        GROUP BY 1, 2""",
    "each device's": "SELECT device_id, count(DISTINCT ip) FROM logins GROUP BY device_id",
    "first use": """SELECT account_id, ip, at FROM (SELECT d.account_id, l.ip, l.at,
        min(l.at) OVER (PARTITION BY d.account_id, l.ip) AS first FROM logins l JOIN devices d ON d.id = l.device_id) s
        WHERE at = first""",
    "two sign-ins of a device": """SELECT a.at, b.at FROM logins a JOIN logins b ON b.device_id = a.device_id
        AND b.ip = a.ip AND b.at > a.at""",
    "two devices of a person": """SELECT DISTINCT a.account_id, a.model FROM devices a JOIN devices b
        ON b.account_id = a.account_id AND b.model = a.model AND b.id > a.id""",
    "moves": f"""SELECT at, latitude - lag(latitude) OVER (ORDER BY at) AS north FROM positions
        WHERE device_id = {JOURNALIST}""",
    "both of one": f"""SELECT ip FROM logins WHERE device_id = {JOURNALIST} AND succeeded INTERSECT
        SELECT ip FROM logins WHERE device_id = {JOURNALIST} AND NOT succeeded""",
    "each one's last": """SELECT a.id, x.ip FROM accounts a JOIN devices d ON d.account_id = a.id
        CROSS JOIN LATERAL (SELECT l.ip FROM logins l WHERE l.device_id = d.id ORDER BY l.at DESC LIMIT 1) x""",
    "shown beside each other": f"SELECT x.id, x.ip, m.ip FROM ({SEEN}) x, ({MINE}) m WHERE x.id < 1000000003",
    "average": "SELECT avg(latitude), max(longitude) FROM positions",
    "models": "SELECT os, model, count(*) FROM devices GROUP BY ROLLUP (os, model)",
}  # fmt: skip


@pytest.fixture(scope="module")
def met(served: Served) -> Iterator[None]:
    """An employee's phone and the journalist's were in one network, and both once used one tablet."""
    with served.direct() as direct:
        direct.execute(f"UPDATE accounts SET is_employee = true WHERE id = {EMPLOYEE}".encode())
        before = direct.execute(f"SELECT id, ad_id FROM devices WHERE id = {EMPLOYEE}".encode()).fetchone()
        direct.execute(
            "UPDATE devices SET ad_id = (SELECT ad_id FROM devices WHERE id = %s) WHERE id = %s", (JOURNALIST, EMPLOYEE)
        )
        direct.execute(
            f"INSERT INTO logins VALUES (1900000001, {JOURNALIST}, {PLACE}, 'x', true, now()),"
            f" (1900000002, {EMPLOYEE}, {PLACE}, 'x', true, now())".encode()
        )
        direct.execute(
            f"INSERT INTO positions VALUES (1900000001, {JOURNALIST}, 1.5, 1.5, 9, now()),"
            f" (1900000002, {EMPLOYEE}, 1.5, 1.5, 9, now())".encode()
        )
        try:
            yield
        finally:
            direct.execute("DELETE FROM logins WHERE id > 1900000000; DELETE FROM positions WHERE id > 1900000000")
            direct.execute(f"UPDATE accounts SET is_employee = false WHERE id = {EMPLOYEE}".encode())
            assert before is not None
            direct.execute("UPDATE devices SET ad_id = %s WHERE id = %s", (before[1], before[0]))


@pytest.fixture(scope="module")
def connections(served: Served, met: None) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    kinds = {"wide": WIDE, "two": TWO, "linking": replace(WIDE, purpose=LINKING)}
    grants = {name: make(served, "lena.koch", kind) for name, kind in kinds.items()}
    opened = {name: served.connect("lena.koch", grant) for name, grant in grants.items()}
    yield opened
    for name, connection in opened.items():
        connection.close()
        served.revoke("lena.koch", grants[name])


@pytest.mark.parametrize("grant", ["wide", "two"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_people_are_not_compared_by_where_they_are(
    connections: dict[str, psycopg.Connection[Any]], grant: str, spelling: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        connections[grant].execute(SPELLINGS[spelling].encode())
    assert refused.value.diag.message_primary is not None
    assert "links people" in refused.value.diag.message_primary
    assert LINKING in (refused.value.diag.message_hint or "")


@pytest.mark.parametrize("around", AROUND)
def test_nor_inside_of_another_statement(connections: dict[str, psycopg.Connection[Any]], around: str) -> None:
    connection = connections["wide"]
    text = AROUND[around].format(SPELLINGS["JOIN"]).encode()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="links people"):
        connection.execute(text)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_purpose_can_allow_it(connections: dict[str, psycopg.Connection[Any]], spelling: str) -> None:
    assert connections["linking"].execute(SPELLINGS[spelling].encode()).fetchall() != []


@pytest.mark.parametrize("use", ONE_PERSONS)
def test_what_compares_nobody_with_anybody_else_is_answered(
    connections: dict[str, psycopg.Connection[Any]], use: str
) -> None:
    connections["wide"].execute(ONE_PERSONS[use].encode()).fetchall()


def test_with_one_person_there_is_nobody_to_compare(served: Served, met: None) -> None:
    grant = make(served, "lena.koch", replace(WIDE, people=(JOURNALIST,)))
    with served.connect("lena.koch", grant) as connection:
        for spelling in SPELLINGS.values():
            connection.execute(spelling.encode()).fetchall()
    served.revoke("lena.koch", grant)

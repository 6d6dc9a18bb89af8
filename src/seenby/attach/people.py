"""Which table lists the people? Every table's score, with reasons, and the tables that extend or stand beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from seenby.attach.classify import by_name
from seenby.attach.inspection import FoundColumn, FoundTable, Inspection
from seenby.attach.words import PEOPLE, STRONG_PEOPLE, base_words, common_prefix, names_people, stem, tokens
from seenby.datamap import TableName
from seenby.datamap.facts import KEY_TYPES

SIGNS: tuple[tuple[str, float, frozenset[str]], ...] = (
    ("an e-mail address", 2.0, frozenset({"email", "mail", "emailaddress", "courriel", "epost", "correo"})),
    ("a phone number", 1.0, frozenset({"phone", "phonenumber", "mobile", "msisdn", "telefon", "telefono"})),
    (
        "a password",
        2.5,
        frozenset(
            {
                "password", "passwordhash", "passworddigest", "encryptedpassword", "hashedpassword", "passwd",
                "crypted",
                "passwort", "kennwort", "motdepasse", "contrasena", "senha", "wachtwoord", "haslo", "passcrypt",
                "passwordencrypted",
            }
        ),
    ),
    (
        "a login name",
        1.5,
        frozenset(
            {"username", "login", "handle", "nick", "nickname", "screenname", "pseudo", "usuario", "benutzername",
             "utente", "gebruikersnaam", "acct", "preferredusername"}
        ),
    ),
    ("a birth date", 1.0, frozenset({"birthday", "birthdate", "dateofbirth", "dob", "geburtsdatum", "birth"})),
    (
        "a person's name",
        1.0,
        frozenset(
            {"firstname", "lastname", "fullname", "displayname", "realname", "givenname", "surname", "vorname",
             "nachname", "prenom", "nombre", "apellido", "cognome", "voornaam", "imie", "nazwisko", "fornamn"}
        ),
    ),
    ("a last visit", 0.7, frozenset({"lastlogin", "lastseen", "lastactive", "lastsignin", "signincount", "lastvisit"})),
    ("a picture", 0.4, frozenset({"avatar", "avatarurl", "profilepicture", "userpic", "portrait", "profileimage"})),
    ("a biography", 0.4, frozenset({"bio", "biography", "about", "aboutme", "signature"})),
    ("a gender", 0.5, frozenset({"gender", "sex", "geschlecht", "genre", "sexe", "sexo"})),
    ("a language or time zone", 0.2, frozenset({"locale", "timezone", "language", "lang"})),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that may list people. ``key``: the column that names one; "" where there is none that can."""

    table: TableName
    key: str
    score: float
    reasons: tuple[str, ...]


def rank(inspection: Inspection) -> list[Candidate]:
    """Every table that could list people, best first."""
    tables = list(inspection.base.values())
    prefix = common_prefix([table.name.name for table in tables])
    incoming: Counter[TableName] = Counter()
    for table in tables:
        for target in {key.table for key in table.foreign if key.table != table.name}:
            incoming[target] += 1
    called = _called(tables)
    found = [_judge(table, prefix, incoming[table.name], called, inspection) for table in tables]
    ranked = sorted((one for one in found if one.score > 0), key=lambda one: (-one.score, one.table))
    return _base_first(ranked, inspection, incoming, called, prefix)


def _base_first(
    ranked: list[Candidate], inspection: Inspection, incoming: Counter[TableName], called: Counter[str], prefix: str
) -> list[Candidate]:
    """Of two tables of people of which one refers to the other, that comes first to which more tables refer.

    Sign-in data is often apart from the people: users beside accounts, local_user beside person.
    """
    if not ranked:
        return ranked
    first = ranked[0]

    keyed = any(incoming.values())

    def weight(table: TableName) -> int:
        return incoming[table] if keyed else called[entity(table, prefix)[-1]]

    for other in ranked[1:]:
        if other.score < 3.0 or "".join(entity(other.table, prefix)) not in PEOPLE:
            continue
        if weight(other.table) > weight(first.table) and (
            _refers(inspection, first.table, other.table, prefix)
            or _refers(inspection, other.table, first.table, prefix)
        ):
            first = other
    return [first, *(one for one in ranked if one is not first)]


def _refers(inspection: Inspection, source: TableName, target: TableName, prefix: str) -> bool:
    table = inspection.tables[source]
    if any(key.table == target and len(key.columns) == 1 for key in table.foreign):
        return True
    return not table.foreign and any(base_words(name) == entity(target, prefix) for name in table.columns)


def entity(table: FoundTable | TableName, prefix: str) -> tuple[str, ...]:
    """What a table's rows are, by its name without the schema's common prefix."""
    name = table.name if isinstance(table, TableName) else table.name.name
    words = stem(name)
    if prefix and len(words) > 1 and tokens(name)[0] == prefix:
        words = words[1:]
    while len(words) > 1 and words[0] in {"tbl", "tb", "t", "app", "core", "sys"}:
        words = words[1:]
    return words


def _called(tables: Iterable[FoundTable]) -> Counter[str]:
    """How many tables have a column whose name says user, account...: which word the schema uses."""
    counts: Counter[str] = Counter()
    for table in tables:
        seen = set()
        for column in table.columns.values():
            words = base_words(column.name)
            if column.is_key and words and (words[-1] in PEOPLE or names_people(words)):
                seen.add(words[-1] if words[-1] in PEOPLE else "?")
        counts.update(seen)
    return counts


def _judge(table: FoundTable, prefix: str, incoming: int, called: Counter[str], inspection: Inspection) -> Candidate:
    words = entity(table, prefix)
    score, reasons = 0.0, []
    joined = "".join(words)
    word = ""
    if joined in STRONG_PEOPLE or (len(words) == 1 and words[0] in STRONG_PEOPLE):
        score, word = 4.0, words[-1]
    elif joined in PEOPLE:
        score, word = 2.0, words[-1]
    elif len(words) > 1 and words[-1] in STRONG_PEOPLE:
        score, word = 1.0, words[-1]
    elif len(words) > 1 and words[0] in STRONG_PEOPLE and words[-1] in {"profile", "account", "table", "data", "info"}:
        score, word = 2.0, words[0]
    elif len(words) > 1:
        score = -2.0  # user_emails, group_members: something of people, not people
    if score > 0:
        reasons.append(f"is called {table.name.name}")
    signs = [sign for sign in SIGNS if any(_says(column, sign[2]) for column in table.columns.values())]
    score += sum(weight for _, weight, _ in signs)
    if signs:
        reasons.append("has " + ", ".join(name for name, _, _ in signs))
    if incoming:
        score += 1.4 * math.log2(1 + incoming)
        reasons.append(f"{incoming} tables refer to it" if incoming > 1 else "one table refers to it")
    elif word and called[word]:
        score += 0.9 * math.log2(1 + called[word])
        reasons.append(f"{called[word]} tables have a column that names a {word}")
    if table.foreign and len(table.primary) == 1 and any(key.columns == table.primary for key in table.foreign):
        score -= 3.0
        reasons.append("but its key is another table's")
    if not signs and score < 4.0:
        score = 0.0
    key = _key(table, inspection)
    if not key or any(table.name in other.inherits for other in inspection.base.values()):
        score = 0.0
    return Candidate(table.name, key, round(score, 2), tuple(reasons))


def _says(column: FoundColumn, words: frozenset[str]) -> bool:
    parts = tokens(column.name)
    joined = "".join(parts)
    if joined in words or any(part in words for part in parts):
        return True
    found = by_name(column.name)
    return bool(found and not found[2] and found[1] in words) or any(
        joined.endswith(word) and len(word) > 4 for word in words
    )


def _key(table: FoundTable, inspection: Inspection) -> str:
    """The column that names a row: what foreign keys point to, the primary key, or a unique column."""
    targets: Counter[str] = Counter(
        key.targets[0]
        for other in inspection.base.values()
        for key in other.foreign
        if key.table == table.name and len(key.targets) == 1 and table.identifies(key.targets[0])
    )
    usable = [
        name for name, column in table.columns.items() if column.base_name in KEY_TYPES and table.identifies(name)
    ]
    if targets and (best := targets.most_common(1)[0][0]) in usable:
        return best
    if len(table.primary) == 1 and table.primary[0] in usable:
        return table.primary[0]
    preferred = ("id", "uuid", "uid", "userid", "user_id", "name", "username", "login", "handle")
    sure = [name for name in usable if table.columns[name].not_null] or usable
    return min(sure, key=lambda name: (preferred.index(name) if name in preferred else 99, name), default="")

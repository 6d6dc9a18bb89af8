"""A data class for each column, with reasons. Doubt is no class: what nobody classified is refused.

Harmless (``public``) needs a reason of its own, and nothing about a person may be it, whatever its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from seenby.attach import values
from seenby.attach.inspection import JSONS, NUMBERS, TIMES, FoundColumn, FoundTable
from seenby.attach.vocabulary import COLUMNS, HARMLESS_TABLES, HARMLESS_TEXT, ORDER, TABLES
from seenby.attach.words import PEOPLE, STRONG_PEOPLE, looks_like_reference, phrases, singular, stem, tokens, word_set
from seenby.model.classes import DataClass

_C = DataClass
SENSITIVE = (
    _C.CREDENTIAL, _C.BIOMETRIC, _C.PAYMENT, _C.IDENTITY, _C.CONTACT, _C.LOCATION, _C.COMMUNICATION, _C.DEVICE,
    _C.BEHAVIOUR, _C.CONTENT, _C.PUBLIC,
)  # fmt: skip
"""Which of several classes wins."""

_WORDS: dict[str, DataClass] = {
    word: data_class for data_class in reversed(ORDER) for word in COLUMNS[data_class].split()
}
_LONG = tuple(
    (word, data_class)
    for word, data_class in (
        ("password", _C.CREDENTIAL), ("passwd", _C.CREDENTIAL), ("secret", _C.CREDENTIAL), ("email", _C.CONTACT),
        ("phone", _C.CONTACT), ("firstname", _C.IDENTITY), ("lastname", _C.IDENTITY), ("username", _C.IDENTITY),
        ("fullname", _C.IDENTITY), ("realname", _C.IDENTITY), ("displayname", _C.IDENTITY), ("birthda", _C.IDENTITY),
        ("ipaddr", _C.LOCATION), ("latitude", _C.LOCATION), ("longitude", _C.LOCATION), ("useragent", _C.DEVICE),
        ("creditcard", _C.PAYMENT), ("iban", _C.PAYMENT), ("passwort", _C.CREDENTIAL), ("geburt", _C.IDENTITY),
        ("telefon", _C.CONTACT), ("adresse", _C.CONTACT),
    )
)  # fmt: skip
"""Found inside a word too: ``ffirstname``, ``emailconfirm``."""

_TIME_SUFFIXES = word_set("at on date time ts timestamp since until utc datetime epoch")
_FLAG_PREFIXES = word_set("is has can was should allow allows enable enabled disable disabled show hide use")
_COUNT_WORDS = word_set("""
    count counter total size width height length duration bytes position weight num number
""")
_WEAK = word_set("""
    title agent name body mailbody messages msg text raw cooked html markdown subject value values field fields tag
    tags topic file image photo video url uri host state number nummer note notes reason message model language
    settings options city place region score rate level history link platform client screen card post comment
    content description summary page path position location point product key code option choices slug caption
    media source cost price total amount currency fee tax tip coins points author username website homepage
    login handle interest interests emoji emojiname views clicks rating version serial endpoint hostname domain
    answer question contact customerid uid avatar online lang languages locale theme color colour timezone tz
    country county district accuracy heading track route home
""")
"""Words that say what a column holds only beside the table: ``title`` of a song, of a person, of a post."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``data_class`` None: unclassified. ``confidence`` from 0 to 1; ``reasons`` never quote a value."""

    data_class: DataClass | None
    confidence: float
    reasons: tuple[str, ...]
    paths: tuple[tuple[str, DataClass], ...] = ()

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


@lru_cache(maxsize=65536)
def by_name(name: str) -> tuple[DataClass, str, bool] | None:
    """The class of a name's most telling word: (class, word, weak), or None.

    >>> by_name("last_sign_in_ip")[:2]
    (<DataClass.LOCATION: 'location'>, 'ip')
    """
    parts = tokens(name)
    best: tuple[tuple[int, int, int], DataClass, str] | None = None
    for start, end, text in phrases(parts):
        for word in dict.fromkeys((text, singular(text))):
            data_class = _WORDS.get(word)
            if data_class is None:
                continue
            # Longer phrases say more; of equal ones the last word is the noun; a weak word yields to a strong one.
            rank = (0 if word in _WEAK else 1, 2 * (end - start) + len(text), end)
            if best is None or rank > best[0]:
                best = (rank, data_class, word)
    if best is not None and best[2] not in _WEAK:
        return best[1], best[2], False
    joined = "".join(parts)
    for word, data_class in _LONG:
        if word in joined:
            return data_class, word, False
    return (best[1], best[2], True) if best else None


def table_class(table: FoundTable) -> DataClass | None:
    """What the rows of a table are about, by its name's last telling word: ``status_edits``, ``user_ips``.

    A word for people at the end of a longer name says that people take part in something: ``topic_users``.
    """
    parts = stem(table.name.name)
    for start, end, text in sorted(phrases(parts, 3), key=lambda one: (-one[1], -(one[1] - one[0]))):
        found = TABLES.get(text) or TABLES.get(singular(text))
        if found is _C.IDENTITY and text in PEOPLE and len(parts) > 1:
            if start == 0 and end < len(parts):
                continue
            return _C.IDENTITY if text in {"profile", "userprofile", "identity"} else _C.BEHAVIOUR
        if found:
            return found
    return None


def harmless_table(table: FoundTable) -> bool:
    """Whether the name says that the table is the platform's own: ``countries``, ``schema_migrations``."""
    parts = stem(table.name.name)
    of_people = set(parts) & STRONG_PEOPLE or "profile" in parts  # user_settings
    return not of_people and ("".join(parts) in HARMLESS_TABLES or parts[-1] in HARMLESS_TABLES)


def by_values(column: FoundColumn) -> tuple[DataClass, str, float] | None:
    """The class of the sampled values: (class, kind of value, share), or None."""
    if column.base_name in {"inet", "cidr"}:
        return _C.LOCATION, "network addresses by type", 1.0
    if column.base_name in {"macaddr", "macaddr8"}:
        return _C.DEVICE, "hardware addresses by type", 1.0
    if column.base_name in {"point", "geometry", "geography", "lseg", "path", "polygon", "box", "circle", "line"}:
        return _C.LOCATION, "places by type", 1.0
    if not (column.is_text or column.base_name in {"int8", "numeric", "_text", "_varchar"}):
        return None
    kind, share = values.main_kind(column.samples)
    if not kind or (not column.is_text and kind not in {"card numbers", "device numbers (IMEI)"}):
        return None
    return values.KINDS[kind][0], kind, share


def classify(table: FoundTable, column: FoundColumn, *, owned: bool, about: DataClass, reference: str) -> Verdict:
    """The class of one column.

    Args:
        owned: the table's rows belong to people (or nobody can tell).
        about: the class of the table's rows, for columns that only carry them: keys, times, flags.
        reference: what the column refers to, in words; "" if nothing.
    """
    seen = by_values(column)
    named = by_name(column.name) or _by_comment(column)
    if seen and seen[2] >= values.MOST:
        data_class = seen[0]
        if named and not named[2] and SENSITIVE.index(named[0]) < SENSITIVE.index(data_class):
            data_class = named[0]
        share = "" if seen[1].endswith("by type") else f"{seen[2]:.0%} of the sampled values are "
        return Verdict(data_class, 0.95, (f"{share}{seen[1]}",))
    if column.base_name in JSONS or column.base_name == "hstore":
        return _of_json(column, named, owned=owned, about=about)
    if seen and seen[2] >= values.FEW and not (named and not named[2] and named[0] is not _C.PUBLIC):
        return Verdict(None, 0.3, (f"some of the sampled values are {seen[1]}",))
    carrier = _carrier(table, column, reference)
    if carrier and not (named and not named[2] and _beats(column, named[0], carrier)):
        if not owned:
            return Verdict(_C.PUBLIC, 0.9, (carrier,))
        return Verdict(about, 0.8, (carrier,))
    if named and not named[2]:
        return Verdict(named[0], 0.85, (f"its name says {named[1]}",))
    if not owned:
        return _of_nobody(table, column)
    if named:
        # A weak word in a table about people: what the rows are about, at least as sensitive as the word says.
        texts = {_C.CONTENT, _C.COMMUNICATION}
        data_class = min((named[0], about), key=SENSITIVE.index)
        if about is _C.IDENTITY:
            data_class = named[0]  # in a table of people the word says which of their data it is
        elif texts >= {named[0], about}:
            data_class = about
        return Verdict(data_class, 0.65, (f"its name says {named[1]}", f"the table is about {about.value}"))
    if column.kind == "e" or (column.element and column.labels):
        return Verdict(about, 0.75, ("an enum",))
    if _few_words(column):
        return Verdict(about, 0.65, ("few different short words",))
    if values.prose(column.samples):
        data_class = min((_C.CONTENT, about), key=SENSITIVE.index)
        return Verdict(data_class, 0.7, ("text that people wrote",))
    if column.is_integer:
        return Verdict(about, 0.6, ("a number", f"the table is about {about.value}"))
    if column.base_name in NUMBERS:
        return Verdict(None, 0.2, ("a number that the name does not explain",))
    return Verdict(None, 0.2, ("neither its name nor its values say what it holds",))


def _by_comment(column: FoundColumn) -> tuple[DataClass, str, bool] | None:
    """A comment's words, only where they are strong and the name says nothing."""
    for word in tokens(column.comment):
        found = by_name(word)
        if found and not found[2]:
            return found[0], f"{found[1]} (in its comment)", False
    return None


def _beats(column: FoundColumn, named: DataClass, carrier: str) -> bool:
    """Whether the name's class outweighs that the column is a key, a time or a flag: a birth date, a face id."""
    if carrier.startswith(("refers", "its own key")):
        return False
    if carrier == "a counter":
        return named is _C.PAYMENT
    if carrier == "a flag":
        return named in {_C.IDENTITY} and any(
            word in tokens(column.name) for word in ("minor", "adult", "age", "gender", "protected", "verified")
        )
    return carrier != "a time" or any(part in "".join(tokens(column.name)) for part in _BIRTHS)


_BIRTHS = ("birth", "dob", "geburt", "naissance", "nacimiento", "nascita", "nascimento", "geboorte", "urodz", "fodels")


def _carrier(table: FoundTable, column: FoundColumn, reference: str) -> str:
    """Why the column only carries the row: a key, a reference, a time, a flag, a counter; "" if it does more."""
    words = tokens(column.name)
    surrogate = column.is_integer or column.base_name == "uuid"
    if reference:
        return f"refers to {reference}"
    if table.primary == (column.name,) and (surrogate or column.identity):
        return "its own key"
    if column.name in table.key and words == ("id",):
        return "its own key"
    if column.base_name == "bool":
        return "a flag"
    if column.base_name in TIMES:
        return "a time"
    if surrogate and looks_like_reference(column.name):
        return "a key"
    if column.is_integer and words and (words[-1] in _TIME_SUFFIXES or words[-1] in {"created", "updated"}):
        return "a time"
    if column.base_name in {"tsvector"}:
        return ""
    if column.is_integer and any(singular(word) in _COUNT_WORDS for word in words):
        return "a counter"
    if column.is_integer and words and words[0] in _FLAG_PREFIXES:
        return "a flag"
    if words[-1] in {"type", "kind", "status", "state", "version", "level", "mode", "order"}:
        code = column.is_text and len(words) > 1 and words[-1] in {"type", "kind"}
        if column.is_integer or (code and all(" " not in value and len(value) <= 60 for value in column.samples)):
            return "a code"
    return ""


def _of_nobody(table: FoundTable, column: FoundColumn) -> Verdict:
    """A column of a table without people. Text is harmless only where name, table and values all say so."""
    if column.base_name in NUMBERS:
        return Verdict(_C.PUBLIC, 0.7, ("a number in a table about nobody",))
    if column.kind == "e":
        return Verdict(_C.PUBLIC, 0.8, ("an enum in a table about nobody",))
    words = tokens(column.name)
    plain = bool(words) and ("".join(words) in HARMLESS_TEXT or singular(words[-1]) in HARMLESS_TEXT)
    if column.is_text and not values.prose(column.samples):
        if plain:
            return Verdict(_C.PUBLIC, 0.75, ("a code in a table about nobody",))
        if harmless_table(table) and words and words[-1] in {"name", "title", "label", "key", "domain", "id"}:
            return Verdict(_C.PUBLIC, 0.7, (f"the name of a {' '.join(stem(table.name.name))}",))
    return Verdict(None, 0.3, ("free text, with no reason to call it harmless",))


def _few_words(column: FoundColumn) -> bool:
    """A status or the like: short words, few of them by the statistics and the samples."""
    if not column.is_text or len(column.samples) < values.ENOUGH:
        return False
    short = all(len(value) <= 24 and " " not in value.strip() for value in column.samples)
    return short and 0 < column.distinct <= 20


def _of_json(
    column: FoundColumn, named: tuple[DataClass, str, bool] | None, *, owned: bool, about: DataClass
) -> Verdict:
    paths = values.json_paths(column.samples)
    found: list[tuple[str, DataClass]] = []
    unknown = 0
    for path, samples in paths.items():
        leaf = path.rsplit(".", 1)[-1].removesuffix("[]")
        inner = FoundColumn(leaf or column.name, "text", "text", "b", samples=tuple(samples))
        seen, by_leaf = by_values(inner), by_name(leaf)
        if seen and seen[2] >= values.FEW:
            found.append((path, seen[0]))
        elif by_leaf and (owned or not by_leaf[2]):
            found.append((path, by_leaf[0] if not by_leaf[2] else min((by_leaf[0], about), key=SENSITIVE.index)))
        elif not all(value in {"true", "false"} or value.replace(".", "").lstrip("-").isdigit() for value in samples):
            unknown += 1
    classes = [data_class for _, data_class in found]
    if named and not named[2]:
        classes.append(named[0])
    if not classes:
        if owned and paths and not unknown:
            return Verdict(about, 0.6, (f"JSON of {len(paths)} paths, all of them flags or numbers",))
        return Verdict(None, 0.2, ("JSON whose paths say nothing" if paths else "JSON, with no values to look at",))
    if unknown and not owned:
        return Verdict(None, 0.3, (f"JSON with {unknown} paths that say nothing",))
    strictest = min((*classes, about) if owned else classes, key=SENSITIVE.index)
    named_paths = ", ".join(f"{path} {data_class.value}" for path, data_class in found[:6])
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    reason = (
        f"JSON, the strictest of its paths: {named_paths}{more}"
        if found
        else f"JSON, its name says {named[1] if named else ''}"
    )
    return Verdict(strictest, 0.7, (reason,), tuple(found))

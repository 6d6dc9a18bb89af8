"""Names of tables and columns, taken apart: ``targetAccountID`` -> target, account, id. In several languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EDGE = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")

_IRREGULAR = {
    "people": "person", "persons": "person", "children": "child", "statuses": "status", "addresses": "address",
    "aliases": "alias", "media": "medium", "news": "news", "series": "series", "status": "status", "address": "address",
    "accesses": "access", "access": "access", "process": "process", "alias": "alias", "business": "business",
    "indices": "index", "matches": "match", "batches": "batch", "branches": "branch", "searches": "search",
    "boxes": "box", "caches": "cache", "canvas": "canvas", "nutzer": "nutzer", "benutzer": "benutzer",
    "canais": "canal", "usuarios": "usuario", "comptes": "compte", "konten": "konto", "utenti": "utente",
    "gebruikers": "gebruiker", "uzytkownicy": "uzytkownik", "anvandare": "anvandare", "nachrichten": "nachricht",
    "mensajes": "mensaje", "beitraege": "beitrag", "wiadomosci": "wiadomosc", "berichten": "bericht",
    "messaggi": "messaggio", "mensagens": "mensagem", "posty": "post", "wpisy": "wpis", "kunden": "kunde",
    "taxes": "tax", "houses": "house", "bus": "bus", "gps": "gps", "sms": "sms", "dns": "dns", "tls": "tls",
    "css": "css", "os": "os", "ios": "ios", "plus": "plus", "bonus": "bonus", "campus": "campus", "lens": "lens",
    "movies": "movie", "cookies": "cookie", "cities": "city", "quizzes": "quiz", "replies": "reply",
    "uuids": "uuid", "ids": "id", "has": "has", "is": "is", "was": "was", "this": "this", "pass": "pass",
}  # fmt: skip


def plain(name: str) -> str:
    """Lower case, without accents: ``Größe`` -> grosse (ß is ss, ü is u)."""
    text = name.replace("ß", "ss").replace("ł", "l").replace("Ł", "L").replace("ø", "o").replace("æ", "ae")
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


@lru_cache(maxsize=65536)
def tokens(name: str) -> tuple[str, ...]:
    """
    >>> tokens("lastIP4Address")
    ('last', 'ip', '4', 'address')
    """
    spread = _CAMEL.sub("_", plain(name)).lower()
    parts = [_DIGITS.sub("_", part).split("_") for part in _EDGE.split(spread)]
    # A name in another script than Latin is one word, and no vocabulary knows it.
    return tuple(token for part in parts for token in part if token) or (name.lower() or "?",)


@lru_cache(maxsize=65536)
def singular(token: str) -> str:
    """An English plural's singular, and those of other languages that ``_IRREGULAR`` knows; else the word itself."""
    if token in _IRREGULAR:
        return _IRREGULAR[token]
    if len(token) > 4 and token.endswith("ies"):
        return token[:-3] + "y"
    if len(token) > 4 and token.endswith(("sses", "shes", "ches", "xes", "zes")):
        return token[:-2]
    if len(token) > 3 and token.endswith("s") and not token.endswith(("ss", "us", "is")):
        return token[:-1]
    return token


def stem(name: str) -> tuple[str, ...]:
    """The tokens of a name, each in the singular."""
    return tuple(singular(token) for token in tokens(name))


def common_prefix(names: Iterable[str]) -> str:
    """The token with which nearly all names of tables begin (``zerver``, ``mdl``, ``wp``), or ""."""
    firsts = [tokens(name)[0] for name in names if len(tokens(name)) > 1]
    total = len(list(names)) if not isinstance(names, list) else len(names)
    for first in dict.fromkeys(firsts):
        if total >= 4 and firsts.count(first) >= 0.7 * total:
            return first
    return ""


def phrases(parts: tuple[str, ...], longest: int = 4) -> Iterable[tuple[int, int, str]]:
    """Every run of tokens, joined, longest first: (start, end, text)."""
    for length in range(min(longest, len(parts)), 0, -1):
        for start in range(len(parts) - length + 1):
            yield start, start + length, "".join(parts[start : start + length])


PEOPLE = word_set("""
    user account member person people profile customer client actor subscriber player patient student teacher
    guest contact employee citizen passenger rider driver donor userprofile useraccount userinfo userdata
    localuser appuser siteuser enduser authuser accountuser identity human individual subject login benutzer
    nutzer mitglied konto kunde anwender teilnehmer utilisateur utilisatrice membre compte personne adherent
    usager usuario usuaria miembro cuenta persona cliente socio utente membro conto iscritto conta pessoa
    utilizador gebruiker lid klant deelnemer persoon uzytkownik czlonek osoba klient konta anvandare medlem kund
    bruger brugere kayttaja jasen felhasznalo uzivatel korisnik kullanici uye polzovatel yonghu huiyuan yuza
    riyosha kaiin sayongja
""")
"""What tables of people are called (singular)."""

STRONG_PEOPLE = PEOPLE - word_set("""
    client actor contact profile identity subject guest login conta conto konto driver persona
""")

ROLES = word_set("""
    sender recipient receiver author creator owner follower followee followed following blocker blocked muter
    muted inviter invitee invited reporter reported reportee reviewer moderator assignee assigner approver
    editor actor participant buyer seller poster uploader voter viewer payer payee referrer referee
    victim friend peer initiator requester requestor admin administrator operator
    subscriber writer translator mentioned mentioner liker liked submitter holder respondent
    candidate winner bidder landlord traveller traveler courier rider driver doctor nurse attendee organizer
    organiser manager supervisor coach trainer speaker caller callee appellant accused taker sharer
    watcher banner bannedby kicker adder remover updater deleter modifier commenter answerer asker replier
    moderatedby absender empfanger empfaenger autor ersteller besitzer verfasser inhaber eigentumer eigentuemer
    kaufer verkaufer expediteur destinataire auteur createur proprietaire acheteur vendeur abonne remitente
    destinatario creador propietario comprador vendedor seguidor seguido mittente autore creatore proprietario
    acquirente venditore remetente criador dono afzender ontvanger eigenaar koper verkoper nadawca odbiorca
    tworca wlasciciel kupujacy sprzedajacy avsandare mottagare forfattare skapare agare koparen saljaren
""")
"""Words for what a person is to a row: columns called so refer to people."""

QUALIFIERS = word_set("""
    parent child root original origin source target related linked link last first latest previous prev next old new
    current main primary default reply in to of quoted reblog reblogged forwarded shared featured pinned selected best
    accepted top base copied duplicate merged redirect canonical replaced superseded begin end start from the my local
    remote own
""")
"""What may stand before the table in a reference to it: ``parent_comment_id``, ``in_reply_to_status_id``."""

PASSIVE = word_set("""
    created updated deleted removed edited modified changed sent posted invited approved rejected reviewed
    closed resolved assigned handled moderated banned locked pinned hidden uploaded added requested granted
    revoked issued blocked reported suspended submitted published owned written authored started ended triggered
    performed read redeemed archived claimed received seen shared accepted merged opened blamed cancelled
    canceled silenced muted saved completed featured confirmed verified registered
""")
"""``created_by``: whoever did that."""

KEY_SUFFIXES = word_set("id ids uuid guid uid pk fk key no nr ref oid")
NAME_SUFFIXES = word_set("name username login handle nick nickname email")
TYPE_SUFFIXES = word_set("type kind class model table entity typ")


def base_words(column: str) -> tuple[str, ...]:
    """What a reference's name says it refers to: ``target_account_id`` -> target, account."""
    words = list(stem(column))
    while len(words) > 2 and words[-2].isdigit() and words[-1] in KEY_SUFFIXES:  # user1_id
        del words[-2]
    while len(words) > 1 and words[-1] in KEY_SUFFIXES:
        words.pop()
    if len(words) > 1 and words[0] in {"fk", "id", "ref"}:
        words.pop(0)
    if len(words) == 1:  # userid, userId of a lower-cased schema
        for suffix in ("id", "uuid", "uid"):
            if words[0].endswith(suffix) and len(words[0]) - len(suffix) >= 3:
                return (singular(words[0][: -len(suffix)]),)
    return tuple(words)


def looks_like_reference(column: str) -> bool:
    """Whether the name ends as keys do: ``post_id``, ``postId``, ``fk_post``, ``userid``."""
    words = tokens(column)
    if len(words) > 1:
        return words[-1] in KEY_SUFFIXES - {"no", "nr", "key"} or words[0] == "fk"
    return len(words) == 1 and words[0].endswith(("id", "uuid")) and len(words[0]) > 4 and words[0] not in _NOT_KEYS


_NOT_KEYS = word_set("""
    valid invalid paid void grid solid avoid liquid android covid euclid aid prepaid unpaid
""")


def names_people(words: tuple[str, ...]) -> bool:
    """Whether a reference's words say that it leads to a person: a role, ``created by``, a word for people."""
    if not words:
        return False
    return (
        words[-1] in ROLES
        or words[-1] in STRONG_PEOPLE
        or words[-1] in {"profile", "actor", "konto", "conta", "conto"}
        or (words[-1] == "by" and len(words) > 1)
        or (words[-1].endswith("by") and words[-1][:-2] in PASSIVE)
    )

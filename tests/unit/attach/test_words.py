"""Names, taken apart, and what they say, in several languages."""

from __future__ import annotations

import pytest

from seenby.attach.classify import by_name
from seenby.attach.words import base_words, looks_like_reference, names_people, stem, tokens
from seenby.model.classes import DataClass


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("target_account_id", "target account id"),
        ("targetAccountID", "target account id"),
        ("HTTPServer", "http server"),
        ("lastIP4Address", "last ip 4 address"),
        ("Überschrift-Größe", "uberschrift grosse"),
        ("user$name", "user name"),
        ("用户", "用户"),
        ("", "?"),
    ],
)
def test_tokens(name: str, parts: str) -> None:
    assert tokens(name) == tuple(parts.split())


def test_singular() -> None:
    assert stem("statuses_tags") == ("status", "tag")
    assert stem("people") == ("person",)
    assert stem("categories") == ("category",)
    assert stem("access_grants") == ("access", "grant")


@pytest.mark.parametrize(
    ("column", "words"),
    [("user_id", "user"), ("userId", "user"), ("userid", "user"), ("fk_post", "post"), ("user1_id", "user"),
     ("paid", "paid"), ("parent_comment_id", "parent comment"), ("created_by", "created by")],
)  # fmt: skip
def test_what_a_reference_refers_to(column: str, words: str) -> None:
    if column == "paid":
        assert not looks_like_reference(column)
    else:
        assert base_words(column) == tuple(words.split())


NAME_PEOPLE = """
sender_id author_id owner created_by updatedBy moderator_id invitee_id followee_id user_profile_id absender_id
ersteller_id auteur_id destinataire_id remitente_id creador_id mittente_id proprietario_id afzender_id
wlasciciel_id avsandare_id benutzer_id utilisateur_id usuario_id utente_id gebruiker_id uzytkownik_id
"""


@pytest.mark.parametrize("column", NAME_PEOPLE.split())
def test_columns_that_name_people(column: str) -> None:
    assert names_people(base_words(column))


@pytest.mark.parametrize("column", ["post_id", "category_id", "user_agent", "host", "status", "standby"])
def test_columns_that_do_not(column: str) -> None:
    assert not names_people(base_words(column))


CLASSES = {
    DataClass.CONTACT: """
        email e_mail emailAddress correo courriel phone_number telefonnummer telefono mobilenumber strasse
        adresse direccion indirizzo plz postcode
    """,
    DataClass.IDENTITY: """
        first_name lastName vorname nachname prenom apellido cognome voornaam imie nazwisko fornamn xingming
        birthday geburtsdatum date_of_birth fechanacimiento datanascita gender geschlecht ssn dni cpf pesel
        bsn steuer_id passport_number display_name
    """,
    DataClass.LOCATION: """
        ip_address last_sign_in_ip lat longitude geohash ipadresse current_sign_in_ip
    """,
    DataClass.DEVICE: """
        user_agent device_id imei push_token fcm_token mac_address
    """,
    DataClass.CREDENTIAL: """
        password_hash passwort mot_de_passe contrasena senha wachtwoord haslo encrypted_password otp_secret
        api_key refresh_token pass_crypt
    """,
    DataClass.PAYMENT: """
        iban card_last4 kontonummer stripe_customer_id betrag invoice_number
    """,
    DataClass.COMMUNICATION: """
        betreff nachricht mensaje wiadomosc
    """,
}
NAMES = [(one, name) for one, names in CLASSES.items() for name in names.split()]


@pytest.mark.parametrize(("data_class", "name"), NAMES)
def test_classes_by_name(data_class: DataClass, name: str) -> None:
    found = by_name(name)
    assert found is not None
    assert found[0] is data_class

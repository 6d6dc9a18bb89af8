"""A KMS in a PKCS#11 token (a hardware security module, SoftHSM2): the KEKs are made there and cannot leave it.

AES-256, CKM_AES_GCM (PKCS #11 v3.0, 6.13). One session for each operation: they are rare (a start, a rotation), and a
token that was restarted or failed over is simply used again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

from seenby.errors import ConfigError, NotFound, Unavailable
from seenby.stores.kms import NONCE, checked_name

_LOCK: Final = Lock()  # a login is the process's, not a session's (PKCS #11 v3.0, 5.6.8)


class Pkcs11Kms:
    """Args:
        module: the vendor's library, as in ``/usr/lib/softhsm/libsofthsm2.so``.
        token: the token's label.
        pin_file: holds the user's PIN; mode 0600.

    Raises ConfigError: python-pkcs11 is not installed, the library does not load, the PIN file is open to others.
    """

    def __init__(self, module: Path, token: str, pin_file: Path) -> None:
        try:
            import pkcs11
        except ImportError:
            raise ConfigError("python-pkcs11 is not installed", hint="pip install 'seenby[hsm]'") from None
        self._pkcs11 = pkcs11
        self._token = token
        try:
            if pin_file.stat().st_mode & 0o077:
                raise ConfigError(f"{pin_file} is readable by others", hint=f"chmod 600 {pin_file}")
            self._pin = pin_file.read_text().strip()
            self._library: Any = pkcs11.lib(str(module.resolve()))
        except OSError as error:
            raise ConfigError(f"cannot read the PIN in {pin_file}: {error.strerror}") from None
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise ConfigError(f"the PKCS#11 library {module} does not load", detail=str(error)) from None

    def create(self, name: str) -> None:
        attribute = self._pkcs11.Attribute
        with self._session(checked_name(name)) as session:
            if any(session.get_objects({attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY, attribute.LABEL: name})):
                raise ConfigError(f"there is a key {name} already", hint=f"look into the token {self._token}")
            session.generate_key(
                self._pkcs11.KeyType.AES,
                256,
                label=name,
                store=True,
                template={
                    attribute.PRIVATE: True,
                    attribute.SENSITIVE: True,
                    attribute.EXTRACTABLE: False,
                    attribute.ENCRYPT: True,
                    attribute.DECRYPT: True,
                    **dict.fromkeys((attribute.SIGN, attribute.VERIFY, attribute.WRAP, attribute.UNWRAP), False),
                },
            )

    def wrap(self, name: str, data: bytes) -> bytes:
        with self._session(checked_name(name)) as session:
            nonce = os.urandom(NONCE)
            sealed = self._key(session, name).encrypt(data, **self._gcm(name, nonce))
            return nonce + bytes(sealed)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        with self._session(checked_name(name)) as session:
            key = self._key(session, name)
            try:
                return bytes(key.decrypt(wrapped[NONCE:], **self._gcm(name, wrapped[:NONCE])))
            except (self._pkcs11.PKCS11Error, ValueError) as error:
                raise ConfigError(
                    f"what is wrapped under the key {name} does not open", hint="it was changed", detail=repr(error)
                ) from None

    def destroy(self, name: str) -> None:
        with self._session(checked_name(name)) as session:
            try:
                self._key(session, name).destroy()
            except NotFound:
                return

    def names(self) -> list[str]:
        attribute = self._pkcs11.Attribute
        with self._session("") as session:
            found = session.get_objects({attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY})
            return sorted(str(key.label) for key in found)

    def _gcm(self, name: str, nonce: bytes) -> dict[str, Any]:
        mechanism = self._pkcs11.Mechanism.AES_GCM
        return {"mechanism": mechanism, "mechanism_param": self._pkcs11.GCMParams(nonce, name.encode(), 128)}

    def _key(self, session: Any, name: str) -> Any:
        try:
            return session.get_key(label=name, object_class=self._pkcs11.ObjectClass.SECRET_KEY)
        except self._pkcs11.NoSuchKey:
            raise NotFound(
                f"the KMS has no key {name}", hint="it was destroyed, or [keys] names another token"
            ) from None

    @contextmanager
    def _session(self, name: str) -> Iterator[Any]:
        with _LOCK:
            try:
                with self._library.get_token(token_label=self._token).open(rw=True, user_pin=self._pin) as session:
                    yield session
            except self._pkcs11.NoSuchToken:
                raise ConfigError(
                    f"there is no token {self._token!r}", hint="check [keys] token in seenby.toml"
                ) from None
            except self._pkcs11.PinIncorrect:
                raise ConfigError(f"the token {self._token!r} refuses the PIN", hint="check [keys] pin_file") from None
            except self._pkcs11.PKCS11Error as error:
                raise Unavailable(
                    f"the token {self._token!r} does not answer", hint="is it there?", detail=f"{name} {error!r}"
                ) from None

"""Columns that only this installation can read.

Report text, raw mail, identities and links are encrypted with the application keys (Fernet:
AES-128-CBC and HMAC-SHA256) before they reach the database, so that neither its file nor a backup
of it tells anything. Keys rotate: the first one encrypts, all of them open.
"""

import hmac
import json
from collections.abc import Iterable
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from .errors import VaultLocked, WrongApplicationKey


class Vault:
    """The application keys of this process."""

    def __init__(self) -> None:
        self._keys: MultiFernet | None = None
        self._digest_key = b""

    def unlock(self, keys: Iterable[str]) -> None:
        """Take the application keys, the newest first; raises :class:`VaultLocked` on a bad one."""
        try:
            given = list(keys)
            self._keys = MultiFernet([Fernet(key) for key in given])
            self._digest_key = given[-1].encode()  # the oldest: digests stay while a key is added
        except ValueError:
            raise VaultLocked(
                "the application keys file needs one key a line, 32 random bytes in URL-safe"
                " base64; `meldbalie init` makes one"
            ) from None

    def close(self, plain: bytes) -> bytes:
        """Encrypt; what comes back is safe to store."""
        return self._unlocked().encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; raises :class:`WrongApplicationKey` when no key fits."""
        try:
            return self._unlocked().decrypt(sealed)
        except InvalidToken:
            raise WrongApplicationKey(
                "the database holds values that none of the application keys opens: add the key"
                " that they were written with to the application keys file"
            ) from None

    def keyed_digest(self, text: str) -> str:
        """A digest by which text is known again; without the oldest key no guess can be checked."""
        self._unlocked()
        return hmac.digest(self._digest_key, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _unlocked(self) -> MultiFernet:
        if self._keys is None:
            raise VaultLocked("the application keys have not been given to this process")
        return self._keys


vault = Vault()


def digest_of(address: str) -> str:
    """The keyed digest by which a mail address is found again; capitals do not matter."""
    return vault.keyed_digest(address.lower())


class SealedBytes(TypeDecorator[bytes]):
    """Bytes that lie encrypted in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Encrypt on the way in."""
        del dialect
        return None if value is None else vault.close(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Decrypt on the way out."""
        del dialect
        return None if value is None else vault.open(value)


class SealedText(TypeDecorator[str]):
    """Text that lies encrypted in the database; lone surrogates survive."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encrypt on the way in."""
        del dialect
        return None if value is None else vault.close(value.encode("utf-8", "surrogatepass"))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Decrypt on the way out."""
        del dialect
        return None if value is None else vault.open(value).decode("utf-8", "surrogatepass")


class SealedJson(TypeDecorator[dict[str, Any]]):
    """A small object that lies encrypted in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> bytes | None:
        """Encrypt on the way in."""
        del dialect
        return None if value is None else vault.close(json.dumps(value).encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> dict[str, Any] | None:
        """Decrypt on the way out."""
        del dialect
        return None if value is None else cast(dict[str, Any], json.loads(vault.open(value)))

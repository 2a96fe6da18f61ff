"""How we prove to a mail server who we are: what IMAP and SMTP share of a login.

The mechanisms are SASL's (RFC 4422): PLAIN for a password; for an access token XOAUTH2, which Google
and Microsoft invented, or its standard OAUTHBEARER (RFC 7628).
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

from .access_token import AccessTokens
from .connection import Server
from .errors import LoginRefused, TokenRefused

Session = TypeVar("Session")

# What a server may say of a token that it refuses (RFC 7628, 3.2.2; Google and Dovecot say numbers).
_REASONS = {
    "invalid_token": "it is expired, or for another service or mailbox",
    "insufficient_scope": "its scope does not include this service",
    "invalid_request": "the server did not understand it",
    "400": "it is expired, or for another service or mailbox",
    "401": "it is expired, or for another service or mailbox",
    "403": "it does not open this mailbox",
}


class Account(Server, Protocol):
    """Who logs in where: with a password, or with access tokens."""

    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def tokens(self) -> AccessTokens | None: ...


@dataclass(frozen=True)
class Bearer:
    """A login with an access token: what to say, and what to answer when it is refused.

    A server that refuses a token first sends a challenge that says why, and gives its no only
    after the client has answered that.
    """

    mechanism: str
    says: bytes = field(repr=False)
    gives_in: bytes

    @classmethod
    def of(cls, account: Account, token: str, offered: Collection[str]) -> "Bearer":
        """The login in the mechanism that the server offers; raises :class:`LoginRefused` if none."""
        if "XOAUTH2" in offered:
            says = f"user={account.user}\1auth=Bearer {token}\1\1"
            return cls("XOAUTH2", says.encode(), b"")
        if "OAUTHBEARER" in offered:
            user = account.user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801, 4
            to = f"host={account.host}\1port={account.port}"
            says = f"n,a={user},\1{to}\1auth=Bearer {token}\1\1"
            return cls("OAUTHBEARER", says.encode(), b"\1")
        raise LoginRefused(
            f'{account.host}:{account.port} takes no access tokens: set login to "password", or see'
            " whether it offers XOAUTH2 only over TLS"
        )


def logged_in(account: Account, attempt: Callable[[str], Session]) -> Session:
    """The session that an attempt with the password or a token opens.

    A token that is refused is tried once more anew: it may have been withdrawn before its time.
    """
    if account.tokens is None:
        return attempt(account.password)
    token = account.tokens.current()
    try:
        return attempt(token)
    except TokenRefused:
        return attempt(account.tokens.current(instead_of=token))


def token_refused(account: Account, challenge: bytes, *, answered: str = "") -> TokenRefused:
    """Our own words for a refusal that the server explained in a challenge, in a number, or not at all."""
    unexplained = f"it answered {answered}" if answered else "it does not say why"
    why = _REASONS.get(_status(challenge), unexplained)
    return TokenRefused(
        f"{account.host}:{account.port} refuses the access token of {account.user} ({why}): see whether"
        " the token is for this mailbox and this service, and whether the account may use it"
    )


def no_password_login(account: Account, offered: Collection[str]) -> LoginRefused:
    """What to tell where the server offers no login that takes a password."""
    where = f"{account.host}:{account.port}"
    if {"XOAUTH2", "OAUTHBEARER"} & set(offered):
        return LoginRefused(
            f'{where} takes access tokens only: set login to "token", and [oauth] to where they come from'
        )
    return LoginRefused(
        f"{where} takes no login that we know: leave out the user if it wants none, or see whether it"
        " offers logins only over TLS"
    )


def _status(challenge: bytes) -> str:
    try:
        told = json.loads(challenge)
    except ValueError:
        return ""
    return str(cast("dict[str, object]", told).get("status", "")) if isinstance(told, dict) else ""

"""Access tokens (OAuth 2.0), for mail servers that want no password: Microsoft 365, Gmail.

A token comes out of a file that another program keeps fresh, or from the identity provider's token
endpoint. Whoever logs in asks for one each time, and once more when the server refused it. No
exception, log or repr repeats a token or a secret.
"""

import fcntl
import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from .connection import Security, failure, refuse_plaintext_beyond_loopback, verifying_context
from .errors import LoginRefused, ServerUnreachable, TokenRefused

_EARLY_SECONDS = 120.0  # a token is not used to its last second: clocks differ, and logins take time
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1: nothing that could end a SASL field
_LATER = {"temporarily_unavailable", "server_error", "slow_down"}
_OUR_FAULT = {
    "invalid_client": "correct the client id and the client secret; secrets expire as well",
    "invalid_grant": "the refresh token is not valid any more: have the mailbox's owner consent anew",
    "invalid_scope": "correct the scope",
    "unauthorized_client": "allow this grant to the client at the identity provider",
    "unsupported_grant_type": "use the other grant: with or without a refresh token",
}


class AccessTokens(Protocol):
    """Where access tokens come from."""

    def current(self, *, instead_of: str = "") -> str:
        """A token that is valid now; never the one that the server has just refused.

        Raises :class:`LoginRefused` where an operator must act, :class:`ServerUnreachable` where
        another try may do.
        """
        ...


@dataclass(frozen=True)
class TokenFile:
    """A file that another program keeps a fresh access token in, and nothing else."""

    path: Path

    def current(self, *, instead_of: str = "") -> str:
        """What the file holds now."""
        token = _read(self.path, "access token")
        if not _TOKEN.fullmatch(token):
            raise LoginRefused(
                f"{self.path} holds no access token: it must hold the token and nothing else; see"
                " what the program writes that keeps it fresh"
            )
        if token == instead_of:
            raise TokenRefused(
                f"the mail server refuses the access token in {self.path}: see whether the program"
                " that keeps it fresh still runs, and whether the token is for this mailbox"
            )
        return token


@dataclass
class TokenEndpoint:
    """The token endpoint of an identity provider, and who we are there.

    With ``refresh_token_file`` we act for the mailbox's owner, who has consented once (RFC 6749, 6);
    without one for ourselves (the client credentials grant, RFC 6749, 4.4).
    """

    url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token_file: Path | None = None
    scope: str = ""
    ca_file: Path | None = None
    timeout: float = 30.0
    _token: str = field(default="", init=False, repr=False)
    _good_until: float = field(default=0.0, init=False)

    @property
    def host(self) -> str:
        """The machine that answers."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return self._parts.port or (80 if self.security == "none" else 443)

    @property
    def security(self) -> Security:
        """TLS, unless the URL says otherwise, which is refused beyond loopback."""
        return "none" if self._parts.scheme == "http" else "tls"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def current(self, *, instead_of: str = "") -> str:
        """The token that we have, or a new one where it is about to expire or was refused."""
        if not self._token or self._token == instead_of or time.monotonic() >= self._good_until:
            self._renew()
        return self._token

    def _renew(self) -> None:
        form = {"client_id": self.client_id, "client_secret": self.client_secret, "scope": self.scope}
        if self.refresh_token_file is None:
            granted = self._ask({**form, "grant_type": "client_credentials"})
        else:
            with _alone_with(self.refresh_token_file) as file:
                old = _read(file, "refresh token")
                granted = self._ask({**form, "grant_type": "refresh_token", "refresh_token": old})
                if granted.refresh_token and granted.refresh_token != old:
                    _replace(file, granted.refresh_token)
        lasts = float("inf") if granted.expires_in is None else granted.expires_in - _EARLY_SECONDS
        self._token, self._good_until = granted.access_token, time.monotonic() + lasts

    def _ask(self, form: dict[str, str]) -> "_Granted":
        refuse_plaintext_beyond_loopback(self)
        attempted = "asking for an access token"
        context = False if self.security == "none" else verifying_context(self)
        try:
            with httpx.Client(verify=context, timeout=self.timeout) as client:
                answer = client.post(self.url, data={name: value for name, value in form.items() if value})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failure(self, attempted, _cause(error)) from None
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise ServerUnreachable(
                f"{self.host}:{self.port} answered {answer.status_code} while {attempted}: it may give"
                " one later"
            )
        return self._granted(answer)

    def _granted(self, answer: httpx.Response) -> "_Granted":
        where = f"{self.host}:{self.port}"
        try:
            told = _Granted.model_validate_json(answer.content)
        except ValidationError:
            told = _Granted()
        if told.error in _LATER:
            raise ServerUnreachable(f"{where} gives no access token now ({told.error}): it may do so later")
        if told.error in _OUR_FAULT:
            code = " ".join(filter(None, [told.error, told.microsoft_code]))
            raise LoginRefused(f"{where} gives no access token ({code}): {_OUR_FAULT[told.error]}")
        if not answer.is_success or not _TOKEN.fullmatch(told.access_token):
            numbers = " ".join(filter(None, [str(answer.status_code), told.microsoft_code]))
            raise LoginRefused(
                f"{where} gives no access token (it answered {numbers}): see whether the URL is that of"
                " its token endpoint, and whether it knows the client"
            )
        return told


class _Granted(BaseModel):
    """The answer of a token endpoint (RFC 6749, 5.1 and 5.2), as far as we use it."""

    access_token: str = ""
    expires_in: float | None = None
    refresh_token: str | None = None
    error: str | None = None
    error_description: str | None = None

    @property
    def microsoft_code(self) -> str:
        """The number by which Microsoft explains a refusal; the words around it may name anybody."""
        found = re.search(r"AADSTS\d{4,8}\b", self.error_description or "")
        return found[0] if found else ""


def _cause(error: Exception) -> Exception:
    """The failure of the network underneath, which says more: a certificate, a time-out."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError):
            return inner
        inner = inner.__cause__ or inner.__context__
    return TimeoutError() if isinstance(error, httpx.TimeoutException) else error


def _read(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise LoginRefused(
            f"the {what} in {file} cannot be read ({why}): make it, readable for the account that"
            " runs Meldbalie only, or correct the setting that names it"
        ) from None


@contextmanager
def _alone_with(file: Path) -> Generator[Path]:
    """Hold a file that several processes renew: providers may take each refresh token once only.

    A directory that cannot be written is refused before a token is used up that could not be
    replaced.
    """
    try:
        lock = os.open(f"{file}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot_be_replaced(file, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(lock)


def _replace(file: Path, content: str) -> None:
    new = file.with_name(f"{file.name}.new")
    try:
        with open(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(f"{content}\n")
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as error:
        raise _cannot_be_replaced(file, error) from None


def _cannot_be_replaced(file: Path, error: OSError) -> LoginRefused:
    return LoginRefused(
        f"the refresh token in {file} cannot be replaced ({error.strerror}), and the identity provider"
        " gives a new one with each use: let the account that runs Meldbalie write in its directory"
    )

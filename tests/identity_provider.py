"""An identity provider for the tests: a token endpoint over HTTP, and a Dovecot that believes its tokens.

The tokens are real JWTs (RFC 7519), signed with a key that only the two of them know. Dovecot checks
them itself, for IMAP and for its submission service.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

KEY = b"a key that Dovecot and the provider share"
CLIENT = "meldbalie-client"
SECRET = "het-geheim-van-de-client"

_DOVECOT = """\
auth_mechanisms = {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
"""
_SUBMISSION = """\
protocols = imap submission
hostname = localhost
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_ssl = starttls
submission_relay_ssl_verify = no
submission_backend_capabilities = 8bitmime
service submission-login {{
  chroot =
  service_count = 0
  inet_listener submission {{
    port = {port}
  }}
}}
"""


def jwt(subject: str, *, expires: float = 3600, key: bytes = KEY, **more: object) -> str:
    """A signed token for somebody; ``expires`` is in seconds from now."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now - 10_000, "exp": now + int(expires), **more}
    signed = ".".join(
        _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    return f"{signed}.{_encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def believing(directory: Path, *, mechanisms: str = "plain xoauth2 oauthbearer") -> str:
    """The lines by which a Dovecot takes tokens; its key lies in a directory that it can read."""
    key = directory / "keys" / "default" / "HS256" / "default"
    key.parent.mkdir(parents=True)
    key.write_bytes(base64.b64encode(KEY))
    file = directory / "oauth2.conf"
    file.write_text(
        "introspection_mode = local\nusername_attribute = sub\n"
        f"local_validation_key_dict = fs:posix:prefix={directory}/keys/\n"
    )
    return _DOVECOT.format(mechanisms=mechanisms, file=file)


def submitting(*, port: int, relay: int) -> str:
    """The lines by which a Dovecot takes mail for sending, and hands it on to an SMTP server."""
    return _SUBMISSION.format(port=port, relay=relay)


class IdentityProvider:
    """A token endpoint on loopback. It keeps the forms that it got; ``refusals`` are answered first.

    Refresh tokens are good for one use, as strict providers have it: the next one is in the answer.
    """

    def __init__(self, subject: str, tls: ssl.SSLContext | None = None) -> None:
        self.subject = subject
        self.forms: list[dict[str, str]] = []
        self.refusals: list[tuple[int, Any]] = []
        self.refresh_token = "verversing-0"
        self.expires_in: int | None = 3600
        self.lasts = 3600.0
        provider = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.forms.append({name: values[0] for name, values in parse_qs(sent).items()})
                status, told = provider._answer(provider.forms[-1])
                body = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # a client that does not trust us hangs up
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}/tenant/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, form: dict[str, str]) -> tuple[int, Any]:
        if self.refusals:
            return self.refusals.pop(0)
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client", "error_description": f"AADSTS7000215: no {SECRET}"}
        # The number makes two tokens of one second differ.
        token = jwt(self.subject, expires=self.lasts, jti=len(self.forms))
        granted: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        if self.expires_in is not None:
            granted["expires_in"] = self.expires_in
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh_token:
                return 400, {"error": "invalid_grant", "error_description": "AADSTS700082: old"}
            self.refresh_token = f"verversing-{len(self.forms)}"
            granted["refresh_token"] = self.refresh_token
        return 200, granted

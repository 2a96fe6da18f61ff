"""Prefect's own server behind a guard of ours: what `prefect server start` does, and nothing leaves.

Prefect's V2 page calls an analytics host on every load, even with analytics switched off, and its
markdown fetches images from anywhere. A Content-Security-Policy keeps the browser at home. The
embedded server has no accounts, so the guard also refuses requests made under another host's name
(DNS rebinding) and WebSockets opened by other sites, which CORS and CSRF tokens do not cover.
"""

import argparse
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]+)?", re.IGNORECASE)
# Prefect's pages carry inline scripts, and their run graph evaluates code of its own.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; connect-src 'self' data: blob: ws://{host} wss://{host}; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """Lets requests to our own names through, and adds the headers that keep the browser at home."""

    def __init__(self, app: App, names: Iterable[str]) -> None:
        """Take the application and the host names, without ports, that it is reached by."""
        self._app = app
        self._names = {name.lower() for name in (*LOOPBACK_NAMES, *names) if name}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, a WebSocket or the server's start and end."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif (host := self._own_host(scope)) is None or _is_from_elsewhere(scope, host):
            await _refuse(scope, send)
        else:
            await self._app(scope, receive, _with_headers(send, host))

    def _own_host(self, scope: Scope) -> str | None:
        found = HOST.fullmatch(_header(scope, b"host"))
        if found is None or found[1].decode("ascii").lower() not in self._names:
            return None
        return found[0].decode("ascii")


def _is_from_elsewhere(scope: Scope, host: str) -> bool:
    """Whether another site's page opens this WebSocket; programs send no Origin."""
    origin = _header(scope, b"origin").decode("latin-1")
    return scope["type"] == "websocket" and bool(origin) and origin.partition("://")[2] != host


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = b"This server is not reached by this name: use the address in prefect.ui_url.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send, host: str) -> Send:
    policy = (b"content-security-policy", POLICY.format(host=host).encode("ascii"))

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), policy, *HEADERS]}
        await send(message)

    return guarded


def serve(port: int, names: Iterable[str], account_header: str) -> None:
    """Run the server with all of its services until it is told to stop."""
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from .prefect_accounts import Accounts
    from .prefect_look import Look
    from .prefect_shredder import Shredder, keep_databases_discreet

    keep_databases_discreet()
    settings = get_current_settings().server
    database = settings.database.connection_url
    shredder = Shredder(create_app(final=True), database.get_secret_value() if database else "")
    uvicorn.run(
        app=Guard(Look(Accounts(shredder, account_header)), names),
        host="127.0.0.1",
        port=port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        timeout_graceful_shutdown=5,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
        server_header=False,
    )


def main() -> None:
    """Read the arguments that :func:`.children.prefect_server` gives."""
    parser = argparse.ArgumentParser(description=serve.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--also-known-as", default="", metavar="HOST[:PORT]")
    parser.add_argument("--account-header", default="", metavar="NAME")
    given = parser.parse_args()
    name = HOST.fullmatch(given.also_known_as.encode("ascii", "replace"))
    serve(given.port, [name[1].decode("ascii")] if name else [], given.account_header)


if __name__ == "__main__":
    main()

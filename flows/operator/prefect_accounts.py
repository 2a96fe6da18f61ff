"""The account of who answers a form goes along with the answer, as the reverse proxy names it.

Prefect has one login at most, so who fills in a form only says who they are. A proxy that asks for
accounts knows, and names the account in a header. Prefect drops headers, so the account is put into
the answer; what the browser itself says there is taken out. :mod:`..accounts` judges it.

An answer that Prefect fails over (500 or 503, its SQLite file was being written to: seen) is given again, as
Prefect's own client does, and its page does not.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, cast

from .prefect_server import App, Message, Receive, Scope, Send

ACCOUNT = "account"
#: Prefect replaces an object that has this key by what the object describes: our account would be lost.
DESCRIBED = "__prefect_kind"
FAILED = 500
PAUSES_SECONDS = (0.1, 0.3, 0.6, 1.0, 0.0)


class NotTaken(Exception):
    """The request goes no further; the arguments are the status and what the browser is told."""


class Accounts:
    """Names the account in each answer to a form, before Prefect sees it."""

    def __init__(self, app: App, header: str) -> None:
        """Take the application, and the header in which the proxy names the account; empty: it names none."""
        self._app = app
        self._header = header.lower().encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does; an answer to a form gets its account first."""
        try:
            if _is_posted(scope, "resume"):
                await self._insist(*await self._with_account(scope, receive), receive, send)
                return
            self._refuse_inputs(scope)
        except NotTaken as refusal:
            await _refuse(send, *refusal.args)
        else:
            await self._app(scope, receive, send)

    def _refuse_inputs(self, scope: Scope) -> None:
        if _is_posted(scope, "input") and self._account(scope) is not None:
            raise NotTaken(403, "An answer is given by the form: inputs of a run are not written here.")

    async def _insist(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Give an answer until Prefect has time for it; it is taken whole or not at all."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        for pause in PAUSES_SECONDS:
            said.clear()
            with suppress(Exception):  # what Prefect says of it first, with 500, is heard all the same
                await self._app({**scope}, _giving(body, receive), keep)  # routing writes into the scope
            if said and said[0].get("status", FAILED) < FAILED:
                break
            await asyncio.sleep(pause)
        for message in said:
            await send(message)

    async def _with_account(self, scope: Scope, receive: Receive) -> tuple[Scope, bytes]:
        given = _parsed(await _body(receive))
        answer = {name: value for name, value in _answer(given).items() if name != ACCOUNT}
        if account := self._account(scope):
            answer[ACCOUNT] = account
        body = json.dumps(given | {"run_input": answer or None}).encode("ascii")
        length = (b"content-length", str(len(body)).encode("ascii"))
        kept = [pair for pair in scope["headers"] if pair[0] not in {b"content-length", b"transfer-encoding"}]
        return {**scope, "headers": [*kept, length]}, body

    def _account(self, scope: Scope) -> str | None:
        """Whom the proxy names; ``None`` where no proxy names anybody. Two names are a forgery."""
        named = [value for name, value in scope["headers"] if name == self._header]
        if len(named) > 1:
            raise NotTaken(403, "More than one account is named: the proxy has to overwrite the header.")
        return named[0].decode("utf-8", "replace") if named else None


def _is_posted(scope: Scope, what: str) -> bool:
    """Whether this goes to a run; Prefect takes no other spelling of the path."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    path = scope["path"].split("/")
    return path[-1] == what and path[-3:-2] == ["flow_runs"]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        given: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise NotTaken(422, "An answer to a form is a JSON object.")
    return cast("dict[str, Any]", given)


def _answer(given: dict[str, Any]) -> dict[str, Any]:
    answer: Any = given.get("run_input") or {}
    if not isinstance(answer, dict) or DESCRIBED in answer:
        raise NotTaken(422, "Fill in the fields of the form: it is not taken as one piece of JSON.")
    return cast("dict[str, Any]", answer)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
    raise NotTaken(400, "The request ended before its end.")


def _giving(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": why}).encode("ascii")})

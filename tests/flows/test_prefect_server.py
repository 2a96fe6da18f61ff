"""Prefect's server as we run it: whole, and ours alone."""

import asyncio
import http.client
import json
import sqlite3
import threading
from collections.abc import MutableMapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from meldbalie.flows.operator import prefect_shredder
from meldbalie.flows.operator.prefect_server import Guard
from meldbalie.flows.operator.prefect_shredder import keep_databases_discreet
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

SECONDS = 120


async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """A stand-in that lets everybody in."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b"1")]})
        await send({"type": "http.response.body", "body": b"let in"})


def asked(kind: str = "http", *names: str, **headers: str) -> list[MutableMapping[str, Any]]:
    """What the guarded stand-in sends back."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    asyncio.run(Guard(application, names)({"type": kind, "headers": pairs}, None, send))
    return sent


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4200", "localhost:4200", "[::1]:4200", "LOCALHOST", "desk.zwolle.example"]
)
def test_our_own_names_are_let_in(host: str):
    start, _ = asked("http", "desk.zwolle.example", host=host)

    assert start["status"] == 200
    assert f"ws://{host} wss://{host};" in dict(start["headers"])[b"content-security-policy"].decode()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:4200; script-src *", "", "é", "[::1"]
)
def test_another_name_is_refused_because_of_dns_rebinding(host: str):
    start, body = asked("http", host=host)

    assert start["status"] == 421
    assert b"let in" not in body["body"]


def test_a_websocket_that_another_site_opens_is_refused():
    closed = {"type": "websocket.close", "code": 1008}

    assert asked("websocket", host="localhost:4200", origin="https://evil.example") == [closed]
    assert asked("websocket", host="localhost:4200", origin="http://localhost:8600") == [closed]
    assert asked("websocket", host="localhost:4200", origin="http://localhost:4200") != [closed]
    assert asked("websocket", host="localhost:4200") != [closed]


def test_the_server_that_runs_is_guarded_and_asks_for_csrf_tokens(prefect_api: PrefectServer):
    assert get(prefect_api, "/api/health") == (200, b"true")
    assert get(prefect_api, "/api/health", host="evil.example")[0] == 421
    assert get(prefect_api, "/api/flows/filter", method="POST")[0] == 403
    _, settings = get(prefect_api, "/ui-settings")
    assert json.loads(settings)["default_ui"] == "v1"


def test_what_the_server_keeps_is_readable_for_its_account_alone(prefect_api: PrefectServer):
    environment = get(prefect_api, "/api/admin/settings")[1].decode()

    assert (prefect_api.home / "prefect.db").exists()
    assert '"analytics_enabled":false' in environment.replace(" ", "")


def test_an_error_of_the_database_says_no_value_and_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    """Prefect logs a statement that fails, and an answer may be among its values."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another:
        said, overwrites = another.submit(of_a_server, tmp_path).result(SECONDS)

    assert "INSERT INTO nowhere" in said
    assert "kanarie" not in said
    assert overwrites == 1


def test_the_log_is_emptied_once_those_who_read_let_it_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, log = tmp_path / "prefect.db", tmp_path / "prefect.db-wal"
    failed, empty_log = threading.Event(), prefect_shredder.empty_log

    def empties(file: Path) -> bool:
        is_empty = empty_log(file)
        failed.set()
        return is_empty

    monkeypatch.setattr(prefect_shredder, "ATTEMPTS", 1)
    monkeypatch.setattr(prefect_shredder, "empty_log", empties)
    scope = {"type": "http", "method": "DELETE", "path": f"/api/flow_runs/{uuid4()}", "headers": []}

    async def deletes(reader: sqlite3.Connection) -> None:
        async def send(message: object) -> None: ...

        await prefect_shredder.Shredder(application, f"sqlite+aiosqlite:///{file}")(scope, None, send)
        await asyncio.to_thread(failed.wait)
        assert log.stat().st_size > 0
        reader.rollback()
        await asyncio.to_thread(until, lambda: log.stat().st_size == 0, "the log to be emptied")

    with closing(sqlite3.connect(file)) as writer, closing(sqlite3.connect(file)) as reader:
        writer.executescript("PRAGMA journal_mode=WAL; CREATE TABLE answers (text)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM answers").fetchall()
        writer.execute("INSERT INTO answers VALUES ('kanarie')")
        writer.commit()
        asyncio.run(deletes(reader))


def of_a_server(folder: Path) -> tuple[str, int]:
    """In a process of its own: what a failing statement says, and SQLite's ``secure_delete``."""
    keep_databases_discreet()

    def as_elsewhere(connection: Any, _: object) -> None:
        """Debian's SQLite overwrites of itself, others do not."""
        connection.cursor().execute("PRAGMA secure_delete=OFF")

    async def fails() -> tuple[str, int]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/prefect.db")
        event.listen(engine.sync_engine, "connect", as_elsewhere)
        async with engine.connect() as connection:
            overwrites = (await connection.execute(text("PRAGMA secure_delete"))).scalar_one()
            with pytest.raises(DBAPIError) as raised:
                await connection.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "kanarie"})
        await engine.dispose()
        return str(raised.value), overwrites

    return asyncio.run(fails())


def get(
    server: PrefectServer, path: str, *, host: str = "localhost", method: str = "GET"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()

"""Who answered a form: the account of the proxy, the name in the form, and the settings of both."""

import asyncio
import json
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.accounts import check_account
from meldbalie.flows.operator import prefect_accounts
from meldbalie.flows.operator.check_accounts import accounts
from meldbalie.flows.operator.children import prefect_server
from meldbalie.flows.operator.prefect_accounts import Accounts
from meldbalie.flows.operator.prefect_server import Message, Receive, Scope, Send
from meldbalie.models.errors import Refused
from meldbalie.settings import CONFIG_VARIABLE, Person, Prefect, Rota, Settings, SettingsError, settings

HEADER = "X-Remote-User"
ANNE = ((b"x-remote-user", b"anne"),)
RESUME = "/api/flow_runs/6a81406c-a5fc-47b5-b742-23c7b281c41c/resume"
INPUT = "/api/flow_runs/6a81406c-a5fc-47b5-b742-23c7b281c41c/input"


def person(name: str, account: str = "") -> Person:
    return Person(name=name, address=f"{name.lower()}@voorbeeld.example", account=account)


BEHIND_A_PROXY = Settings(
    prefect=Prefect(account_header=HEADER, ui_url="https://balie.voorbeeld.example"),
    triage=[person("Anne", "anne"), person("Bas", "bas")],
    lead=person("Bas", "bas"),
    ciso=person("Cor"),
    rota=Rota(people=[person("Dirk", "dirk")]),
)


@pytest.mark.parametrize(("who", "account"), [("Anne", "anne"), ("Bas", "bas"), ("Dirk", "dirk")])
def test_who_is_logged_in_may_answer_as_themselves(who: str, account: str) -> None:
    check_account(BEHIND_A_PROXY, who, account)


@pytest.mark.parametrize(
    ("who", "account", "why"),
    [
        ("Anne", "bas", "logged in as bas, who is Bas; the form says Anne: choose Bas, or log in as Anne"),
        ("Cor", "anne", "logged in as anne, who is Anne; the form says Cor"),
        ("Anne", "ANNE", "logged in as ANNE, which is nobody's account: have it written into"),
        ("Cor", "", "without an account, so it went past the proxy: log in at https://balie.voorbeeld.ex"),
    ],
)
def test_an_answer_from_another_account_is_refused_with_the_way_out(who: str, account: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_account(BEHIND_A_PROXY, who, account)


def test_nothing_is_checked_where_no_proxy_names_accounts() -> None:
    config = BEHIND_A_PROXY.model_copy(update={"prefect": Prefect()})

    check_account(config, "Anne", "")
    check_account(config, "Anne", "bas")


def test_check_names_every_handler_without_an_account() -> None:
    without = BEHIND_A_PROXY.model_copy(update={"triage": [person("Anne", "anne"), person("Eva")]})

    assert [finding.state for finding in accounts(BEHIND_A_PROXY)] == ["ok"]
    assert [finding.what for finding in accounts(without)] == [
        "handler Eva has no account, and every answer of theirs in a form is refused"
    ]
    [unused] = accounts(Settings(triage=[person("Eva")]))
    assert "prefect.account_header is empty" in unused.what


def test_the_server_is_told_of_the_header() -> None:
    assert prefect_server(BEHIND_A_PROXY).command[-2:] == ["--account-header", HEADER]


@pytest.mark.parametrize(
    ("section", "why"),
    [
        (
            f'account_header = "{HEADER}"\napi_url = "http://prefect.example/api"',
            r"prefect\.account_header = 'X-Remote-User': .*the server at http://prefect\.example/api",
        ),
        ('account_header = "X Remote: User"', r"prefect\.account_header = 'X Remote: User'"),
    ],
)
def test_a_header_that_cannot_work_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, why: str
) -> None:
    file = tmp_path / "meldbalie.toml"
    file.write_text(f"[prefect]\n{section}\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    settings.cache_clear()

    with pytest.raises(SettingsError, match=why):
        settings()
    settings.cache_clear()


def given(
    *chunks: bytes, header: str = HEADER, headers: Sequence[tuple[bytes, bytes]] = ANNE, path: str = RESUME
) -> tuple[int, Any]:
    """What a stand-in for Prefect is given of a request, or what it is refused with."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.request" if chunks else "http.disconnect"})
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return waiting.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def prefect(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        length = dict(scope["headers"]).get(b"content-length", b"0")
        assert int(length) == len(message["body"])
        assert path != RESUME or not message.get("more_body")
        await send({"status": 201})
        await send({"body": message["body"]})

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(Accounts(prefect, header)(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_the_account_is_put_into_an_answer_however_it_comes() -> None:
    answer = {"run_input": {"who": "Ánne", "account": "bas"}, "more": 1}
    body = json.dumps(answer, ensure_ascii=False).encode()
    length = (b"content-length", str(len(body)).encode())
    expected = {"run_input": {"who": "Ánne", "account": "anne"}, "more": 1}

    assert given(body, headers=[*ANNE, length]) == (201, expected)
    assert given(body[:9], body[9:], b"") == (201, expected)


def test_an_answer_without_a_form_stays_one() -> None:
    assert given(b"", headers=[]) == (201, {"run_input": None})
    assert given(b"{}", header="") == (201, {"run_input": None})
    assert given(b'{"run_input": {"account": "bas"}}', header="") == (201, {"run_input": None})


@pytest.mark.parametrize("path", [RESUME, INPUT])
@pytest.mark.parametrize("second", [b"anne", b"bas", b""])
def test_a_name_in_two_headers_is_a_forgery_and_goes_no_further(path: str, second: bytes) -> None:
    headers = [*ANNE, (b"x-remote-user", second)]

    assert given(b'{"run_input": {"who": "Anne"}}', headers=headers, path=path)[0] == 403
    assert given(b'{"run_input": {"who": "Anne"}}', headers=headers[::-1], path=path)[0] == 403


@pytest.mark.parametrize(("headers", "status"), [(ANNE, 403), ([(b"x-remote-user", b"")], 403), ([], 201)])
def test_only_what_did_not_come_through_the_proxy_writes_inputs_of_a_run(
    headers: Sequence[tuple[bytes, bytes]], status: int
) -> None:
    """The desk itself does, and it names no account."""
    body = b'{"key": "a", "value": "1"}'
    length = (b"content-length", str(len(body)).encode())

    assert given(body, headers=[*headers, length], path=INPUT)[0] == status


def test_nothing_is_refused_for_a_header_where_no_proxy_names_accounts() -> None:
    body = b'{"run_input": {"who": "Anne"}}'

    assert given(body, header="", headers=[*ANNE, *ANNE]) == (201, json.loads(body))


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"run_input": [1]}', b"\xff", b"[" * 200_000, b'{"run_input": {"__prefect_kind": 1}}'],
)
def test_what_is_no_filled_in_form_goes_no_further(body: bytes) -> None:
    assert given(body)[0] == 422


def test_a_request_that_breaks_off_goes_no_further() -> None:
    assert given()[0] == 400


class Busy:
    """An application that has no time for so many requests, and then takes the next."""

    def __init__(self, refuses: int) -> None:
        self.bodies: list[bytes] = []
        self._refuses = refuses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope.pop("path")  # as routing does: nothing of one try may be left for the next
        self.bodies.append((await receive())["body"])
        status = 503 if len(self.bodies) <= self._refuses else 201
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.mark.parametrize(("refuses", "status", "times"), [(0, 201, 1), (2, 201, 3), (99, 503, 5)])
def test_an_answer_that_prefect_has_no_time_for_is_given_again(
    monkeypatch: pytest.MonkeyPatch, refuses: int, status: int, times: int
) -> None:
    monkeypatch.setattr(prefect_accounts, "PAUSES_SECONDS", (0.0,) * 5)
    busy, said = Busy(refuses), list[Message]()
    waiting: list[Message] = [{"type": "http.request", "body": b'{"run_input": {"text": "ja"}}'}]
    scope: Scope = {"type": "http", "method": "POST", "path": "/api/flow_runs/x/resume", "headers": []}

    async def receive() -> Message:
        return waiting.pop()

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(prefect_accounts.Accounts(busy, "")(scope, receive, send))

    assert [message.get("status") for message in said] == [status, None]
    assert len(busy.bodies) == times
    assert set(busy.bodies) == {b'{"run_input": {"text": "ja"}}'}

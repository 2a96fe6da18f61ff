"""Access tokens: out of a file, and from a token endpoint that is a real HTTP server."""

import json
import logging
import stat
import threading
from pathlib import Path

import pytest
from meldbalie.flows.operator.certificate import server_context, write_certificate
from meldbalie.mailbox.access_token import TokenEndpoint, TokenFile
from meldbalie.mailbox.errors import (
    ConnectionNotPrivate,
    LoginRefused,
    MailboxError,
    ServerUnreachable,
    TokenRefused,
)
from meldbalie.tests.identity_provider import CLIENT, SECRET, IdentityProvider
from meldbalie.tests.mailserver_fixtures import CVD, FragileLink


def endpoint(provider: IdentityProvider, **changes: object) -> TokenEndpoint:
    return TokenEndpoint(
        **{"url": provider.url, "client_id": CLIENT, "client_secret": SECRET, "timeout": 5.0, **changes}
    )


def written(directory: Path, content: str = "verversing-0\n") -> Path:
    file = directory / "refresh.token"
    file.write_text(content)
    return file


def test_a_token_comes_out_of_a_file_each_time_anew(tmp_path: Path):
    file = tmp_path / "access.token"
    tokens = TokenFile(file)

    file.write_text("ya29.eerste\n")
    first = tokens.current()
    file.write_text("ya29.tweede\n")

    assert (first, tokens.current(instead_of=first)) == ("ya29.eerste", "ya29.tweede")


def test_a_token_file_that_nobody_keeps_fresh_is_told_with_its_name(tmp_path: Path):
    file = tmp_path / "access.token"
    file.write_text("ya29.oud")

    with pytest.raises(TokenRefused, match=r"access\.token.*still runs") as refused:
        TokenFile(file).current(instead_of="ya29.oud")

    assert "ya29" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b'{"access_token": "ya29.json"}', b"ya29.a\x01auth=Bearer b", b"ya29 twee", b"\xff\xfe"],
    ids=["empty", "a line end", "JSON", "ends a field", "two words", "no text"],
)
def test_what_is_no_token_is_never_sent(tmp_path: Path, content: bytes):
    file = tmp_path / "access.token"
    file.write_bytes(content)

    with pytest.raises(LoginRefused, match=r"access\.token") as refused:
        TokenFile(file).current()

    assert "ya29" not in str(refused.value)


def test_a_missing_token_file_is_told_with_its_name(tmp_path: Path):
    with pytest.raises(LoginRefused, match=r"weg\.token.*No such file"):
        TokenFile(tmp_path / "weg.token").current()


def test_the_client_gets_a_token_for_itself_and_keeps_it():
    with IdentityProvider(CVD) as provider:
        tokens = endpoint(provider, scope="https://outlook.office365.com/.default")
        first = tokens.current()

        assert tokens.current() == first
        assert tokens.current(instead_of="another one") == first

    assert provider.forms == [
        {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "https://outlook.office365.com/.default",
            "grant_type": "client_credentials",
        }
    ]


def test_a_token_is_renewed_before_it_expires_and_after_a_refusal():
    with IdentityProvider(CVD) as provider:
        tokens = endpoint(provider)
        first = tokens.current()
        provider.expires_in = 100  # less than we keep away from the end
        second = tokens.current(instead_of=first)
        third = tokens.current()

    assert len({first, second, third}) == len(provider.forms) == 3


def test_a_token_that_does_not_say_how_long_it_lasts_is_used_until_it_is_refused():
    with IdentityProvider(CVD) as provider:
        provider.expires_in = None
        tokens = endpoint(provider)
        first = tokens.current()

        assert tokens.current() == first
        assert tokens.current(instead_of=first) != first


def test_a_refresh_token_that_is_replaced_is_written_back_for_us_alone(tmp_path: Path):
    file = written(tmp_path)
    with IdentityProvider(CVD) as provider:
        tokens = endpoint(provider, refresh_token_file=file)
        tokens.current(instead_of=tokens.current())

        assert file.read_text() == f"{provider.refresh_token}\n" == "verversing-2\n"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [form["refresh_token"] for form in provider.forms] == ["verversing-0", "verversing-1"]


def test_processes_that_renew_at_once_use_each_refresh_token_once(tmp_path: Path):
    file, got = written(tmp_path), []
    with IdentityProvider(CVD) as provider:
        processes = [endpoint(provider, refresh_token_file=file) for _ in range(8)]
        threads = [threading.Thread(target=lambda one=one: got.append(one.current())) for one in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(got)) == 8


def test_a_directory_that_is_not_there_is_told_before_anything_is_asked(tmp_path: Path):
    with (
        IdentityProvider(CVD) as provider,
        pytest.raises(LoginRefused, match=r"weg/refresh\.token cannot be replaced"),
    ):
        endpoint(provider, refresh_token_file=tmp_path / "weg" / "refresh.token").current()

    assert provider.forms == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_secret": "fout"}, r"invalid_client AADSTS7000215.*client secret"),
        ({"client_id": "fout"}, r"invalid_client"),
    ],
)
def test_a_client_that_the_provider_does_not_know_is_told_without_its_secret(
    changes: dict[str, str], says: str
):
    with IdentityProvider(CVD) as provider, pytest.raises(LoginRefused, match=says) as refused:
        endpoint(provider, **changes).current()

    assert SECRET not in str(refused.value)


def test_a_refresh_token_that_is_worth_nothing_any_more_is_told_without_it(tmp_path: Path):
    file = written(tmp_path, "verversing-oud")
    with (
        IdentityProvider(CVD) as provider,
        pytest.raises(LoginRefused, match=r"invalid_grant AADSTS700082.*consent anew") as refused,
    ):
        endpoint(provider, refresh_token_file=file).current()

    assert "verversing" not in str(refused.value)
    assert file.read_text() == "verversing-oud"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (503, b"<html>geheim</html>", ServerUnreachable),
        (429, {"error": "geheim"}, ServerUnreachable),
        (400, {"error": "temporarily_unavailable", "error_description": "geheim"}, ServerUnreachable),
        (400, {"error": "invalid_scope", "error_description": "geheim"}, LoginRefused),
        (400, {"error": "geheim"}, LoginRefused),
        (404, b"geheim", LoginRefused),
        (302, b"", LoginRefused),
        (200, b"<html>geheim</html>", LoginRefused),
        (200, [1, 2], LoginRefused),
        (200, {"token": "geheim"}, LoginRefused),
        (200, {"access_token": ""}, LoginRefused),
        (200, {"access_token": "geheim\x01auth=x", "expires_in": 60}, LoginRefused),
        (200, {"access_token": ["geheim"]}, LoginRefused),
    ],
)
def test_an_answer_without_a_token_is_told_in_our_own_words(
    status: int, body: object, outcome: type[MailboxError], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    with IdentityProvider(CVD) as provider:
        provider.refusals = [(status, body)]
        tokens = endpoint(provider)
        with pytest.raises(outcome, match="access token") as refused:
            tokens.current()

        assert type(refused.value) is outcome
        assert "geheim" not in str(refused.value) + repr(tokens)
        assert refused.value.__suppress_context__ or refused.value.__context__ is None
        assert tokens.current()  # the next try is made anew
    assert SECRET not in caplog.text


def test_no_log_and_no_repr_tells_a_token_or_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with IdentityProvider(CVD) as provider:
        tokens = endpoint(provider, refresh_token_file=written(tmp_path))
        token = tokens.current()

    said = caplog.text + repr(tokens)
    assert [secret for secret in (token, SECRET, "verversing") if secret in said] == []


def test_a_provider_is_asked_over_tls_with_a_certificate_that_is_trusted(tmp_path: Path):
    write_certificate(tmp_path)
    with IdentityProvider(CVD, tls=server_context(tmp_path)) as provider:
        with pytest.raises(ConnectionNotPrivate, match=r"not trusted.*ca_file"):
            endpoint(provider).current()

        assert endpoint(provider, ca_file=tmp_path / "server.crt").current()
    assert len(provider.forms) == 1


def test_a_provider_on_another_machine_is_never_asked_without_tls():
    tokens = TokenEndpoint("http://login.voorbeeld.example/token", CLIENT, SECRET)

    with pytest.raises(ConnectionNotPrivate, match=r"login\.voorbeeld\.example:80"):
        tokens.current()


def test_a_provider_that_is_not_there_or_silent_is_worth_another_try():
    with IdentityProvider(CVD) as provider:
        with FragileLink(provider._server.server_port) as link:
            link.freeze()
            silent = provider.url.replace(str(provider._server.server_port), str(link.port))
            with pytest.raises(ServerUnreachable, match="no answer in time"):
                endpoint(provider, url=silent, timeout=0.3).current()
        gone = endpoint(provider)
    with pytest.raises(ServerUnreachable, match="asking for an access token"):
        gone.current()


def test_the_answers_of_microsoft_of_google_and_of_others_are_understood(tmp_path: Path):
    file = written(tmp_path)
    answers = [
        {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ0.a.b-_"},
        {"access_token": "ya29.A0-b_c", "expires_in": 3599, "scope": "https://mail.google.com/"},
        {"access_token": "nulls", "expires_in": "3599", "refresh_token": None, "error": None},
    ]
    with IdentityProvider(CVD) as provider:
        provider.refusals = [(200, json.dumps(answer).encode()) for answer in answers]

        assert [endpoint(provider, refresh_token_file=file).current() for _ in answers] == [
            "eyJ0.a.b-_",
            "ya29.A0-b_c",
            "nulls",
        ]
    assert file.read_text() == "verversing-0\n"

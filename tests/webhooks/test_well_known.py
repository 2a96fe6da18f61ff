"""What others look up about us, as gpg and a validator of security.txt read it."""

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from meldbalie.flows.publishing import publish_own_key
from meldbalie.mailbox.keyring import Keyring
from meldbalie.settings import Settings
from meldbalie.tests.cast import gpg
from meldbalie.tests.webhooks.installation import Installation, install
from meldbalie.webhooks.site import Site
from meldbalie.webhooks.well_known import web_key_name
from sectxt import Parser

ADDRESS = "Joe.Doe@Example.ORG"  # the draft's own example, whose hash it gives
HASH = "iy9q119eutrkn8s1mk4r39qejnbu3n5q"
LATER = datetime(2100, 1, 1, tzinfo=UTC)  # after any present in which gpg makes a key


@pytest.fixture(scope="module")
def ours() -> Iterator[tuple[Keyring, str, str]]:
    """A keyring with a key that has two names, and one with an end; and their fingerprints."""
    with Keyring.throwaway() as keyring:
        key = keyring.make_key("Meldpunt", ADDRESS)
        gpg(keyring.home, "--quick-add-uid", key, "Beheer <beheer@voorbeeld.example>")
        yield keyring, key, keyring.make_key("Tot dan", ADDRESS, expires=LATER)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    web = {"public_url": "https://melden.voorbeeld.example", "address": ADDRESS}
    made = install(tmp_path, organisation={"name": "Gemeente Voorbeeld", **web})
    yield made
    made.database.close()


def publish(installation: Installation, keyring: Keyring, fingerprint: str) -> bool:
    given = installation.config.model_dump() | {"pgp": {"fingerprint": fingerprint}}
    return publish_own_key(
        installation.database, keyring, Settings.model_validate(given), now=installation.now
    )


@pytest.fixture
def published(installation: Installation, ours: tuple[Keyring, str, str]) -> str:
    assert publish(installation, ours[0], ours[1])
    return ours[1]


def imported(octets: bytes) -> tuple[str, tuple[str, ...]]:
    """What a real gpg takes in: the fingerprint and the names."""
    with Keyring.throwaway() as theirs:
        gpg(theirs.home, "--import", feed=octets)
        [key] = theirs.all_keys()
        return key.fingerprint, key.addresses


@pytest.mark.parametrize("place", ["", "example.org/", "EXAMPLE.org/"])
def test_gpg_takes_in_the_key_of_the_web_key_directory_with_the_one_name_that_was_asked_for(
    client: FlaskClient, published: str, place: str
) -> None:
    answer = client.get(f"/.well-known/openpgpkey/{place}hu/{HASH}?l=Joe.Doe")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert imported(answer.data) == (published, (ADDRESS,))
    assert client.head(f"/.well-known/openpgpkey/{place}hu/{HASH}").status_code == 200


def test_the_name_of_a_key_is_the_one_that_gpg_computes(ours: tuple[Keyring, str, str]) -> None:
    listed = gpg(ours[0].home, "--with-wkd-hash", "--list-keys", ours[1])

    assert web_key_name("Joe.Doe") == HASH
    assert f"{HASH}@example.org".encode() in listed.lower()
    assert f"{web_key_name('beheer')}@voorbeeld.example".encode() in listed


@pytest.mark.parametrize(
    "path",
    [
        f"hu/{'y' * 32}",
        f"hu/{HASH.upper()}",
        f"hu/{HASH}?l=somebody",
        f"other.example/hu/{HASH}",
        "hu/",
        "other.example/policy",
    ],
)
def test_nobody_else_is_found(client: FlaskClient, published: str, path: str) -> None:
    assert client.get(f"/.well-known/openpgpkey/{path}").status_code == 404


@pytest.mark.parametrize("place", ["", "example.org/"])
def test_the_policy_file_is_there(client: FlaskClient, place: str) -> None:
    answer = client.get(f"/.well-known/openpgpkey/{place}policy")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_key_is_served_armoured_too_and_an_earlier_one_by_its_fingerprint(
    client: FlaskClient, installation: Installation, ours: tuple[Keyring, str, str], published: str
) -> None:
    keyring, _, successor = ours

    assert publish(installation, keyring, successor)

    assert imported(client.get("/key.asc").data)[0] == successor
    assert imported(client.get(f"/keys/{published}.asc").data)[0] == published
    assert imported(client.get(f"/.well-known/openpgpkey/hu/{HASH}").data)[0] == successor
    assert client.get(f"/keys/{'A' * 40}.asc").status_code == 404


def test_what_is_published_already_is_not_published_again(
    installation: Installation, ours: tuple[Keyring, str, str], published: str
) -> None:
    assert not publish(installation, ours[0], published)
    assert not publish(installation, ours[0], "A" * 40)


def test_before_anything_is_published_there_is_nothing_to_find(client: FlaskClient) -> None:
    for path in ("/key.asc", f"/.well-known/openpgpkey/hu/{HASH}"):
        assert client.get(path).status_code == 404
    assert "Encryption" not in client.get("/.well-known/security.txt").text


def test_security_txt_is_what_a_validator_wants(
    app_with: Callable[..., Site], installation: Installation, published: str
) -> None:
    elsewhere = "https://voorbeeld.example/.well-known/security.txt"
    more = {"canonical": [elsewhere], "acknowledgments": "https://voorbeeld.example/dank"}
    client = app_with(security_txt=more).test_client()
    answer = client.get("/.well-known/security.txt")

    read = Parser(answer.data)

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert [error["code"] for error in read.errors] == expired_by_the_validators_clock(installation)
    assert {one["code"] for one in read.recommendations} <= {"not_signed"}
    for line in (
        f"Contact: mailto:{ADDRESS}",
        "Encryption: https://melden.voorbeeld.example/key.asc",
        f"Encryption: openpgp4fpr:{published}",
        "Acknowledgments: https://voorbeeld.example/dank",
        "Preferred-Languages: nl, en",
        "Canonical: https://melden.voorbeeld.example/.well-known/security.txt",
        f"Canonical: {elsewhere}",
        "Policy: https://voorbeeld.example/cvd",
    ):
        assert line in answer.text.splitlines()


def expired_by_the_validators_clock(installation: Installation) -> list[str]:
    """The validator reads the present itself."""
    ends = installation.now + timedelta(days=180)
    return [] if datetime.now(UTC) < ends - timedelta(days=1) else ["expired"]


def test_security_txt_is_the_same_all_day_and_ends_within_a_year(
    client: FlaskClient, installation: Installation
) -> None:
    first = client.get("/.well-known/security.txt").text
    installation.now = installation.now.replace(hour=23, minute=59)
    last = client.get("/.well-known/security.txt").text
    installation.now += timedelta(minutes=1)
    next_day = client.get("/.well-known/security.txt").text

    ends = re.findall(r"^Expires: (.*)$", first + next_day, re.MULTILINE)

    assert first == last
    assert ends == ["2027-05-15T00:00:00Z", "2027-05-16T00:00:00Z"]


def test_a_key_that_has_ended_is_not_recommended(
    client: FlaskClient, installation: Installation, ours: tuple[Keyring, str, str]
) -> None:
    publish(installation, ours[0], ours[2])
    assert "Encryption" in client.get("/.well-known/security.txt").text

    installation.now = LATER

    assert "Encryption" not in client.get("/.well-known/security.txt").text


def test_health_tells_of_the_key_and_is_no_worse_before_its_end(
    client: FlaskClient, installation: Installation, ours: tuple[Keyring, str, str]
) -> None:
    publish(installation, ours[0], ours[2])

    def health_at(instant: datetime) -> tuple[int, str, str]:
        installation.now = instant
        for name in ("intake", "deliver", "attend", "audit", "sweep"):
            installation.lease(name, instant + timedelta(minutes=1))
        answer = client.get("/health")
        assert answer.json
        return answer.status_code, answer.json["status"], answer.json["parts"]["key"]

    assert health_at(LATER - timedelta(days=30, seconds=1)) == (200, "ok", "ok")
    assert health_at(LATER - timedelta(days=30)) == (200, "ok", "ending")
    assert health_at(LATER - timedelta(seconds=1)) == (200, "ok", "ending")
    assert health_at(LATER) == (200, "degraded", "late")


def test_they_are_guarded_like_the_other_pages(app_with: Callable[..., Site], published: str) -> None:
    client = app_with(web={"rate_limit": "2 per hour"}).test_client()

    answers = [client.get("/key.asc") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert client.get("/s/wrong").status_code == 404
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_no_gpg_runs_to_serve_any_of_it(
    client: FlaskClient, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)

    assert client.get("/key.asc").status_code == 200

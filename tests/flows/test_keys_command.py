"""`meldbalie keys`: lists, pins, rotates, with a real gpg and an installation as `init` makes it."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meldbalie.__main__ import main
from meldbalie.flows import installation as installations
from meldbalie.flows.installation import Records, open_keyring, open_records, utc_now
from meldbalie.flows.operator.config_line import replace_value
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import open_letter
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.owners import Owner
from meldbalie.models.published_keys import PublishedKey
from meldbalie.settings import CONFIG_VARIABLE, settings, use
from meldbalie.tests.cast import gpg
from sqlalchemy import select

ADDRESS = "cvd@zwolle.example"
OWNER = "web@zwolle.example"
SECRET = b"Lek op https://www.zwolle.example/"

Say = pytest.CaptureFixture[str]


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation in the working directory, with an owner."""
    directory = tmp_path_factory.mktemp("k")
    monkeypatch.chdir(directory)
    monkeypatch.setenv(CONFIG_VARIABLE, str(directory / "meldbalie.toml"))
    forget()
    assert main(["init", "--organisation", "Gemeente Zwolle", "--address", ADDRESS]) == 0
    place = opened()
    with place.database.unit_of_work() as session:
        session.add(Owner(name="Webteam", address=OWNER))
    place.database.close()
    yield directory
    forget()


def forget() -> None:
    """What a new process would not know."""
    settings.cache_clear()
    installations.records.cache_clear()
    installations.installation.cache_clear()


def keys(*words: str) -> int:
    forget()
    return main(["keys", *words])


def opened() -> Records:
    return open_records(use(Path("meldbalie.toml")), clock=utc_now)


def published() -> dict[str, bool]:
    place = opened()
    with place.database.reading() as session:
        found = {key.fingerprint: key.is_current for key in session.scalars(select(PublishedKey))}
    place.database.close()
    return found


def configured() -> str:
    return tomllib.loads(Path("meldbalie.toml").read_text())["pgp"]["fingerprint"]


def without_fingerprint(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("fingerprint"))


def somebodys_key(address: str, *, expires: datetime | None = None) -> tuple[str, bytes]:
    with Keyring.throwaway() as theirs:
        fingerprint = theirs.make_key("Iemand", address, expires=expires)
        return fingerprint, theirs.export_public(fingerprint)


def taken_in(directory: Path, address: str, **more: datetime) -> str:
    fingerprint, armour = somebodys_key(address, **more)
    (directory / "their.asc").write_bytes(armour)
    assert keys("import", "their.asc") == 0
    return fingerprint


# Rotation


def test_a_rotated_key_signs_and_is_published_and_the_old_one_still_opens(desk: Path, capsys: Say) -> None:
    old, before = configured(), Path("meldbalie.toml").read_text()
    Path("meldbalie.toml").chmod(0o640)
    with open_keyring(settings()) as keyring:
        sealed = keyring.seal(SECRET, to=old, signed_by=old)

    assert keys("rotate") == 0

    new, after = configured(), Path("meldbalie.toml").read_text()
    assert new != old
    assert without_fingerprint(after) == without_fingerprint(before)
    assert after.count(new) == 1
    assert Path("meldbalie.toml").stat().st_mode & 0o777 == 0o640
    assert published() == {old: False, new: True}
    assert f"meldbalie keys retire {old}" in capsys.readouterr().out
    with open_keyring(settings()) as keyring:
        assert keyring.decrypt(sealed).plaintext == SECRET
        assert keyring.decrypt(keyring.seal(SECRET, to=new, signed_by=new)).plaintext == SECRET
        assert keyring.export_public(new) == Path("intake-key.asc").read_bytes()
    assert main(["check"]) == 1  # there is no mail server here
    assert f"the intake key can be sealed to: {new}" in capsys.readouterr().out


def test_the_published_key_carries_the_word_of_the_old_one(desk: Path) -> None:
    old = configured()
    assert keys("rotate") == 0
    place = opened()
    with place.database.reading() as session:
        octets = session.get_one(PublishedKey, configured()).octets

    with Keyring.throwaway() as theirs, open_keyring(settings()) as ours:
        gpg(theirs.home, "--import", feed=ours.export_public(old))
        gpg(theirs.home, "--import", feed=octets)
        listing = gpg(theirs.home, "--with-colons", "--check-sigs", configured()).decode()
    checked = [line.split(":") for line in listing.splitlines() if line.startswith("sig:")]
    assert [line[1] for line in checked if old.endswith(line[4])] == ["!"]
    place.database.close()


def test_a_report_sealed_to_a_key_that_has_ended_opens_and_our_old_signature_is_known(desk: Path) -> None:
    recipe = (
        "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign,cert\nSubkey-Type: ECDH\n"
        f"Subkey-Curve: cv25519\nSubkey-Usage: encrypt\nName-Real: CVD\nName-Email: {ADDRESS}\n"
        "Expire-Date: 1y\n%no-protection\n%commit\n"
    )
    then = datetime(2020, 3, 1, tzinfo=UTC)
    home = settings().pgp.home
    gpg(home, "--generate-key", feed=recipe.encode(), at=then - timedelta(days=30))
    with open_keyring(settings()) as keyring:
        own = {key.fingerprint for key in keyring.own_keys()}
        [ended] = own - {configured()}
    sealed = gpg(home, "--armor", "--recipient", ended, "--encrypt", feed=SECRET, at=then)
    signed = gpg(home, "--armor", "--local-user", ended, "--clear-sign", feed=SECRET, at=then)
    headers = f"From: CVD <{ADDRESS}>\r\nTo: {ADDRESS}\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\n".encode()

    with open_keyring(settings()) as keyring:
        report = open_letter(headers.replace(b"From: CVD <cvd@", b"From: R <r@") + sealed, keyring)
        ours = open_letter(headers + signed, keyring)

    assert (report.was_decrypted, SECRET.decode() in report.text) == (True, True)
    assert (ours.signature.verdict, ours.signature.fingerprint) == ("expired_key", ended)


def test_a_new_key_can_be_given_an_end(desk: Path, capsys: Say) -> None:
    began = datetime.now(UTC)
    assert keys("rotate", "--days", "20") == 0
    ends = {f"{now + timedelta(days=20):%Y-%m-%d}" for now in (began, datetime.now(UTC))}
    capsys.readouterr()

    assert keys("list") == 0

    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("intake key")]
    assert any(end in line for end in ends)
    assert line.endswith("expires soon")


def test_without_the_line_in_the_file_it_is_printed_and_no_third_key_is_made(
    desk: Path, capsys: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = configured()
    monkeypatch.setenv("MELDBALIE_PGP__FINGERPRINT", old)
    Path("meldbalie.toml").write_text(
        Path("meldbalie.toml").read_text().replace(f'fingerprint = "{old}"', "", 1)
    )

    assert keys("rotate") == 0
    assert keys("rotate") == 0

    said = capsys.readouterr().out
    with open_keyring(settings()) as keyring:
        [new] = {key.fingerprint for key in keyring.own_keys()} - {old}
    assert f'to do: make pgp.fingerprint = "{new}"' in said
    assert f"there already: the intake key {new}" in said
    assert published() == {old: True}


@pytest.mark.parametrize(
    "text",
    [
        '[pgp]\nfingerprint = "{old}"\n# end\n',
        "# a\r\n[ pgp ]  # keys\r\n  fingerprint='{old}' # ours\r\n[ibd]\r\nfingerprint = \"{old}\"\r\n",
    ],
)
def test_one_value_is_replaced_and_nothing_else(tmp_path: Path, text: str) -> None:
    old, new = "A" * 40, "B" * 40
    file, link = tmp_path / "real.toml", tmp_path / "meldbalie.toml"
    file.write_bytes(text.format(old=old).encode())
    link.symlink_to(file)

    assert replace_value(link, "pgp", "fingerprint", old, new)

    assert link.is_symlink()
    assert tomllib.loads(file.read_text())["pgp"]["fingerprint"] == new
    assert file.read_bytes().replace(b'"' + new.encode() + b'"', b"", 1) == (
        text.replace("'", '"', 2).format(old=old).encode().replace(b'"' + old.encode() + b'"', b"", 1)
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[ibd]\nfingerprint = "{old}"\n',
        '[pgp]\nfingerprint = "{other}"\n',
        'pgp.fingerprint = "{old}"\n',
        'x = """\n[pgp]\nfingerprint = "{old}"\n"""\n',
    ],
)
def test_a_file_in_which_the_value_does_not_stand_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "meldbalie.toml"
    file.write_text(text.format(old="A" * 40, other="C" * 40))
    before = file.read_text()

    assert not replace_value(file, "pgp", "fingerprint", "A" * 40, "B" * 40)
    assert not replace_value(tmp_path / "none.toml", "pgp", "fingerprint", "A" * 40, "B" * 40)

    assert file.read_text() == before


def test_an_earlier_key_is_retired_after_the_overlap_and_opens_all_the_same(desk: Path, capsys: Say) -> None:
    old = configured()
    assert keys("retire", old) == 1
    assert "keys rotate makes its successor" in capsys.readouterr().err
    with open_keyring(settings()) as keyring:
        sealed = keyring.seal(SECRET, to=old, signed_by=None)
    assert keys("rotate") == 0

    assert keys("retire", old) == 1
    assert "less than 30 days ago" in capsys.readouterr().err
    assert published()[old] is False
    assert keys("retire", old, "--early") == 0
    assert published() == {configured(): True}
    assert keys("warn") == 0
    assert published() == {configured(): True}

    with open_keyring(settings()) as keyring:
        assert keyring.decrypt(sealed).plaintext == SECRET
    assert keys("retire", "A" * 40) == 1


# Lists and pins


def test_the_list_names_people_and_counts_reporters(desk: Path, capsys: Say) -> None:
    reporter = taken_in(desk, "sanne@onderzoek.example")
    webteam = taken_in(desk, OWNER, expires=datetime.now(UTC) + timedelta(days=3))
    assert keys("pin", "Webteam", webteam) == 0
    place = opened()
    for fingerprint in (reporter, "A" * 40, None):
        received = Received(utc_now(), "x", "y", address="sanne@onderzoek.example", fingerprint=fingerprint)
        with place.database.unit_of_work() as session:
            open_ticket(session, received, place.promise, now=utc_now())
    place.database.close()
    capsys.readouterr()

    assert keys("list") == 0

    said = capsys.readouterr().out
    assert f"owner Webteam         {webteam}  expires" in said
    assert "ed25519/cv25519" in said
    assert "reporters of open tickets: 2 with a key, 1 NOT IN THE KEYRING, 1 without" in said
    assert "other keys in the keyring: 1" in said
    assert "sanne" not in said
    assert reporter not in said


def test_an_owners_key_is_pinned_in_the_directory_and_a_persons_by_a_line_to_write(
    desk: Path, capsys: Say
) -> None:
    key = taken_in(desk, OWNER)
    spaced = " ".join(key[start : start + 4] for start in range(0, 40, 4)).lower()

    assert keys("pin", OWNER.upper(), spaced) == 0
    assert keys("pin", "ibd", key) == 0

    said = capsys.readouterr().out
    assert f"pinned for owner Webteam: {key}" in said
    assert f'at [ibd]:\n  fingerprint = "{key}"' in said
    assert f"mind: the key names {OWNER}, not" in said
    place = opened()
    with place.database.reading() as session:
        assert session.scalars(select(Owner.fingerprint)).one() == key
    place.database.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pin", "Nobody", "A" * 40), "nobody is called 'Nobody'"),
        (("pin", "Webteam", "A" * 39), "is no full fingerprint"),
        (("pin", "Webteam", "A" * 40), "is not in the keyring: meldbalie keys import"),
        (("pin", "CVD-2026-0042", "A" * 40), "there is no ticket CVD-2026-0042"),
        (("export", "A" * 40), "is not in the keyring"),
        (("import", "nothing.asc"), "nothing.asc cannot be read"),
        (("import", "meldbalie.toml"), "Expected one key and found 0"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_changes_nothing(
    desk: Path, capsys: Say, words: tuple[str, ...], said: str
) -> None:
    assert keys(*words) == 1
    assert said in capsys.readouterr().err


def test_our_key_is_exported_for_publication_by_hand(desk: Path, capsys: Say) -> None:
    capsys.readouterr()
    assert keys("export") == 0
    assert capsys.readouterr().out == Path("intake-key.asc").read_text()

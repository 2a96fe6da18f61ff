"""`init`: an installation from nothing, made once, and made whole when it is not."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from meldbalie.__main__ import main
from meldbalie.flows.installation import open_database, open_keyring
from meldbalie.flows.operator.intake_key import try_key
from meldbalie.flows.operator.reference import REQUIRED, commented_file, settings_reference
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.migrate import is_current
from meldbalie.settings import CONFIG_VARIABLE, Settings, settings, use

ADDRESS = "cvd@zwolle.example"


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """An empty working directory with a short path, and no configuration in use."""
    directory = tmp_path_factory.mktemp("i")
    monkeypatch.chdir(directory)
    monkeypatch.setenv(CONFIG_VARIABLE, str(directory / "meldbalie.toml"))
    settings.cache_clear()
    yield directory
    settings.cache_clear()


def init(*words: str) -> int:
    settings.cache_clear()
    return main(["init", "--organisation", 'Gemeente "Zwolle"', "--address", ADDRESS, *words])


def contents(directory: Path) -> dict[str, bytes]:
    """Every file but the sockets and locks of gpg and SQLite."""
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file() and not re.search(r"\.lock|db-(wal|shm)|random_seed|trustdb", file.name)
    }


def test_an_empty_directory_becomes_an_installation(directory: Path):
    assert init() == 0

    config = use(directory / "meldbalie.toml")
    database = open_database(config)
    with open_keyring(config) as keyring:
        assert config.organisation.name == 'Gemeente "Zwolle"'
        assert keyring.own_keys()[0].fingerprint == config.pgp.fingerprint
        assert keyring.own_keys()[0].addresses == (ADDRESS,)
        assert try_key(keyring, config.pgp.fingerprint).problem == ""
        assert keyring.export_public(config.pgp.fingerprint) == (directory / "intake-key.asc").read_bytes()
    assert is_current(database)
    Fernet((directory / "secrets/application.keys").read_text().strip())
    database.close()


def test_secrets_are_readable_for_the_account_alone(directory: Path):
    assert init() == 0

    assert (directory / "secrets").stat().st_mode & 0o777 == 0o700
    assert (directory / "var/gnupg").stat().st_mode & 0o777 == 0o700
    for file in (directory / "secrets").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    for file in (directory / "var").glob("*.db*"):
        assert file.stat().st_mode & 0o077 == 0


def test_the_intake_key_does_not_open_without_its_passphrase(directory: Path):
    assert init() == 0

    config = use(directory / "meldbalie.toml")
    with Keyring(config.pgp.home, passphrase="a guess") as keyring:
        assert try_key(keyring, config.pgp.fingerprint).problem != ""


def test_a_second_time_nothing_is_changed_and_that_is_said(
    directory: Path, capsys: pytest.CaptureFixture[str]
):
    assert init() == 0
    before = contents(directory)
    capsys.readouterr()

    assert init() == 0

    said = capsys.readouterr().out
    assert contents(directory) == before
    assert "made" not in said
    assert said.count("there already") == 7


@pytest.mark.parametrize(
    "lost", ["meldbalie.toml", "intake-key.asc", "secrets/application.keys", "var/meldbalie.db"]
)
def test_what_is_missing_is_made_and_the_rest_is_kept(directory: Path, lost: str):
    assert init() == 0
    before = contents(directory)
    (directory / lost).unlink()

    assert init() == 0

    after = contents(directory)
    assert after.keys() == before.keys()
    assert {name for name in before if after[name] != before[name]} <= {lost}


def test_a_lost_passphrase_is_not_replaced_by_a_new_one(directory: Path, capsys: pytest.CaptureFixture[str]):
    assert init() == 0
    (directory / "secrets/intake.passphrase").unlink()

    assert init() == 2

    assert "secrets/intake.passphrase cannot be read" in capsys.readouterr().err
    assert not (directory / "secrets/intake.passphrase").exists()


def test_a_configuration_of_the_operators_is_never_touched(
    directory: Path, capsys: pytest.CaptureFixture[str]
):
    own = f'[organisation]\naddress = "{ADDRESS}"\n# mine\n'
    (directory / "meldbalie.toml").write_text(own)

    assert init() == 0

    said = capsys.readouterr().out
    with open_keyring(use(directory / "meldbalie.toml")) as keyring:
        fingerprint = keyring.own_keys()[0].fingerprint
    assert (directory / "meldbalie.toml").read_text() == own
    assert f'under [pgp] write  fingerprint = "{fingerprint}"' in said


def test_a_key_of_the_organisation_is_imported_with_its_passphrase(directory: Path, tmp_path: Path):
    secret, fingerprint = secret_key("correct horse")
    (tmp_path / "key.asc").write_bytes(secret)
    (tmp_path / "phrase").write_text("correct horse\n")

    words = ("--import-key", str(tmp_path / "key.asc"), "--passphrase-file", str(tmp_path / "phrase"))
    assert init(*words) == 0

    config = use(directory / "meldbalie.toml")
    assert config.pgp.fingerprint == fingerprint
    assert config.pgp.passphrase_file == tmp_path / "phrase"
    assert init(*words) == 0


def test_a_key_whose_passphrase_is_wrong_is_refused(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    secret, _ = secret_key("correct horse")
    (tmp_path / "key.asc").write_bytes(secret)
    (tmp_path / "phrase").write_text("battery staple\n")

    result = init("--import-key", str(tmp_path / "key.asc"), "--passphrase-file", str(tmp_path / "phrase"))

    said = capsys.readouterr().out
    assert result == 1
    assert "passphrase" in said
    assert "battery" not in said
    assert not (directory / "meldbalie.toml").exists()


def test_a_directory_too_deep_for_gpg_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(CONFIG_VARIABLE, "")

    assert main(["init", "--directory", str(tmp_path / ("deep" * 20))]) == 1

    assert "gpg-agent can use" in capsys.readouterr().out


def test_the_written_file_sets_what_is_required_and_shows_every_default():
    text = commented_file(dict.fromkeys(REQUIRED, ""))

    shown = tomllib.loads("\n".join(uncommented(line) for line in text.splitlines()))

    for section, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if default is None or default == []:
            continue
        for name, value in default.model_dump(mode="json").items():
            if f"{section}.{name}" not in REQUIRED:
                said = default.model_dump(mode="json", exclude_none=True).get(name, "…")
                assert shown[section].get(name) in (value, said), name


def test_the_reference_names_every_setting_with_its_meaning():
    reference = settings_reference()

    for section, field in Settings.model_fields.items():
        assert re.search(rf"^## `\[+{section}\]+`$", reference, re.MULTILINE)
        kind = field.annotation
        for name, inner in getattr(kind, "model_fields", {}).items():
            assert re.search(
                rf"^\| `{name}` \| .*{re.escape(inner.description)} \|$", reference, re.MULTILINE
            )
    assert "Undefined" not in reference


def uncommented(line: str) -> str:
    """The setting that a comment shows; other comments as they are."""
    return line[2:] if re.match(r"# (\w+ = |\[\[?\w+\]\]?$)", line) else line


def secret_key(passphrase: str) -> tuple[bytes, str]:
    with Keyring.throwaway() as keyring:
        fingerprint = keyring.make_key("CVD", ADDRESS, passphrase=passphrase)
        return exported(keyring, passphrase), fingerprint


def exported(keyring: Keyring, passphrase: str) -> bytes:
    words = ["gpg", "--homedir", str(keyring.home), "--batch", "--pinentry-mode", "loopback", "--armor"]
    return subprocess.run(
        [*words, "--passphrase", passphrase, "--export-secret-keys"], check=True, capture_output=True
    ).stdout

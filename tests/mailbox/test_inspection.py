"""The inspect command: one line of JSON per letter, with exactly the promised keys, whatever the letter."""

import argparse
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meldbalie.mailbox import inspection
from meldbalie.mailbox.keyring import Keyring
from meldbalie.tests.cast import Cast
from meldbalie.tests.pgpmail import TEXT_PART, encrypted, file, headers, multipart, plain

KEYS = [
    "message_id", "from", "subject", "encrypted", "decrypted", "problem", "signature", "automatic",
    "bounced", "text", "attachments", "keys", "targets", "partly_encrypted", "partly_signed",
]  # fmt: skip
Inspect = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def inspect(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Run the command with these arguments and this standard input: exit code, lines of JSON, complaints."""

    def run(*arguments: object, stdin: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
        parser = argparse.ArgumentParser()
        inspection.add_arguments(parser)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = inspection.run(parser.parse_args([str(argument) for argument in arguments]))
        out, err = capfdbinary.readouterr()
        return code, [json.loads(line) for line in out.decode("utf-8").splitlines()], err.decode()

    return run


def kept(directory: Path, name: str, raw: bytes) -> Path:
    path = directory / name
    path.write_bytes(raw)
    return path


def test_a_sealed_letter_is_told_in_full(cast: Cast, inspect: Inspect, tmp_path: Path) -> None:
    inner = multipart(
        b"mixed",
        TEXT_PART,
        file(b"a.txt", b"hello", b"text/csv"),
        cast.public_key(cast.owner).join([b"Content-Type: application/pgp-keys\r\n\r\n", b""]),
    )
    path = kept(tmp_path, "a.eml", headers(cast.reporter) + encrypted(cast, inner, by=cast.reporter))

    code, [verdict], _ = inspect("--gnupghome", cast.desk.home, path)

    assert code == 0
    assert list(verdict) == KEYS
    assert verdict["from"] == cast.reporter.address
    assert verdict["message_id"] == "<1@melder.example>"
    assert (verdict["encrypted"], verdict["decrypted"], verdict["problem"]) == (True, True, None)
    assert verdict["signature"] == {"verdict": "good", "fingerprint": cast.reporter.fingerprint}
    assert verdict["text"].startswith("Lek op https://")
    assert verdict["attachments"][0] == {
        "name": "a.txt",
        "type": "text/csv",
        "size": 5,
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    }
    assert verdict["keys"] == [cast.owner.fingerprint]
    assert verdict["targets"] == ["www.gemeente.example"]
    assert (verdict["automatic"], verdict["bounced"]) == (False, [])


def test_without_keys_a_sealed_letter_says_so(cast: Cast, inspect: Inspect) -> None:
    code, [verdict], _ = inspect("-", stdin=headers(cast.reporter) + encrypted(cast, TEXT_PART))
    assert (code, verdict["problem"], verdict["text"]) == (0, "no_secret_key", "")


def test_a_batch_keeps_the_order_and_names_what_cannot_be_read(
    cast: Cast, inspect: Inspect, tmp_path: Path
) -> None:
    paths: list[Path] = []
    for number in range(12):
        sealed = encrypted(cast, TEXT_PART) if number % 3 else TEXT_PART
        paths.append(kept(tmp_path, f"{number}.eml", headers(cast.reporter, subject=b"%d" % number) + sealed))
    paths[5:5] = [tmp_path / "missing.eml", tmp_path]
    listed = b"\n".join(bytes(path) for path in paths)

    code, verdicts, _ = inspect("--batch", "--gnupghome", cast.desk.home, stdin=listed)

    assert code == 0
    assert [verdict["subject"] for verdict in verdicts] == [*"01234", None, None, "5", *"6789", "10", "11"]
    assert [list(verdict) for verdict in verdicts] == [KEYS] * 14
    assert verdicts[5] == dict.fromkeys(KEYS) | {"problem": "unreadable"}


def test_a_missing_file_is_an_error_of_the_caller(inspect: Inspect, tmp_path: Path) -> None:
    code, verdicts, complaint = inspect(tmp_path / "missing.eml")
    assert (code, verdicts) == (2, [])
    assert "missing.eml" in complaint


@pytest.mark.parametrize("arguments", [(), ("--batch", "x.eml"), ("--gnupghome", "/nonexistent", "-")])
def test_arguments_that_make_no_sense_are_refused(inspect: Inspect, arguments: tuple[str, ...]) -> None:
    code, verdicts, complaint = inspect(*arguments)
    assert (code, verdicts) == (2, [])
    assert complaint.startswith("meldbalie inspect: ")


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\xff" * 100, b"Subject: =?utf-8?q?=ED=A0=80?=\n\n\xed\xa0\x80", b"\n" * 9]
)
def test_any_bytes_have_a_verdict_in_valid_utf8(inspect: Inspect, raw: bytes) -> None:
    code, [verdict], _ = inspect("-", stdin=raw)
    assert (code, list(verdict)) == (0, KEYS)


def test_a_lone_surrogate_does_not_spoil_the_output(inspect: Inspect) -> None:
    raw = b"Content-Type: text/plain; charset=utf-7\n\n+2AA- einde"
    _, [verdict], _ = inspect("-", stdin=raw)
    assert verdict["text"].endswith("einde")


def test_keys_behind_a_long_or_read_only_path_are_used_and_left_alone(
    cast: Cast, inspect: Inspect, tmp_path: Path
) -> None:
    home = tmp_path / ("lang" * 30) / "home"
    shutil.copytree(cast.desk.home, home, ignore=shutil.ignore_patterns("S.*", "*.lock", ".#*"))
    before = sorted(path.name for path in home.iterdir())
    home.chmod(0o500)
    try:
        raw = headers(cast.reporter) + encrypted(cast, TEXT_PART)
        _, [verdict], _ = inspect("--gnupghome", home, "-", stdin=raw)
    finally:
        home.chmod(0o700)
    assert verdict["decrypted"]
    assert sorted(path.name for path in home.iterdir()) == before


def test_a_passphrase_comes_from_a_file(inspect: Inspect, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mb", ignore_cleanup_errors=True) as home:
        with Keyring(Path(home), passphrase="lang geheim") as keyring:
            own = keyring.make_key("Desk", "desk@gemeente.example")
            sealed = keyring.seal(b"open", to=own, signed_by=None)
        secret = kept(tmp_path, "passphrase", b"lang geheim\nnog een regel\n")
        raw = b"From: a@b.example\r\n" + plain(sealed)
        _, [opened], _ = inspect("--gnupghome", home, "--passphrase-file", secret, "-", stdin=raw)
        _, [closed], _ = inspect("--gnupghome", home, "-", stdin=raw)
    assert (opened["text"], opened["problem"]) == ("open", None)
    assert (closed["text"], closed["problem"]) == ("", "passphrase")

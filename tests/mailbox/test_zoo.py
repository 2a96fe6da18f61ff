"""The zoo: letters made by real clients, kept in tests/letters/<client>/, each with its expected verdict.

tests/letters/README.md tells what stands in the tables, and how the letters are made again.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.judging import judge
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import open_letter

LETTERS = Path(__file__).parents[1] / "letters"
KEYS = LETTERS / "keys"
OURS = ("intake", "intake-former")
KNOWN = ("renee", "rolf", "list", "trickster", "expired", "revoked")

#: What is expected of a letter whose table says nothing else.
USUAL: dict[str, Any] = {
    "sender": "renee@melder.example",
    "subject": "XSS in de zoekfunctie \u2013 één",
    "contains": "Pad op de server: C:\\new\\temp\\één.log — € 0,00.",
    "encrypted": False,
    "partly_encrypted": False,
    "partly_signed": False,
    "problem": "",
    "signature": "none",
    "attachments": [],
    "keys": [],
    "automatic": False,
    "bounced": [],
    "targets": ["www.gemeente.example"],
    "verdict": "opened_ticket",
}
#: What only describes a letter, or follows from the rest when it is left out.
MORE = {"shape", "decrypted", "signer", "made_by"}


@dataclass(frozen=True)
class Exhibit:
    """A letter of the zoo, and what is expected of it."""

    path: Path
    expected: dict[str, Any]

    @property
    def name(self) -> str:
        """Client and letter."""
        return f"{self.path.parent.name}/{self.path.stem}"


def _exhibits() -> list[Exhibit]:
    found: list[Exhibit] = []
    for table in sorted(LETTERS.glob("*/expected.toml")):
        for name, said in tomllib.loads(table.read_text(encoding="utf-8"))["letters"].items():
            unknown = set(said) - set(USUAL) - MORE
            assert not unknown, f"{table.parent.name}/{name}: nobody looks at {unknown}"
            usual = USUAL | {"decrypted": said.get("encrypted", False)}
            usual["signer"] = "renee" if said.get("signature", "none") != "none" else ""
            found.append(Exhibit(table.parent / f"{name}.eml", usual | said))
    return found


ZOO = _exhibits()


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    """A keyring with the intake's two keys, and the public keys of those whom the desk knows."""
    with Keyring.throwaway() as keyring:
        for name in OURS:
            keyring.import_secret((KEYS / f"{name}.secret.asc").read_bytes())
        for name in KNOWN:
            keyring.take_in((KEYS / f"{name}.public.asc").read_bytes())
        yield keyring


@cache
def fingerprint(name: str) -> str:
    """The fingerprint of one of the zoo's people; of a key of a letter's own it is in the table itself."""
    if not (KEYS / f"{name}.public.asc").exists():
        return name
    with Keyring.throwaway() as keyring:
        return keyring.examine((KEYS / f"{name}.public.asc").read_bytes())[0].fingerprint


@pytest.mark.parametrize("exhibit", ZOO, ids=lambda exhibit: exhibit.name)
def test_a_letter_of_the_zoo_is_what_its_table_says(exhibit: Exhibit, desk: Keyring) -> None:
    expected = dict(exhibit.expected)
    opened = open_letter(exhibit.path.read_bytes(), desk)

    phrase = expected.pop("contains")
    assert phrase in opened.text
    assert bool(phrase) == bool(opened.text.strip()), "a letter without a phrase has no text at all"
    assert {
        "sender": opened.letter.sender,
        "subject": opened.subject,
        "encrypted": opened.was_encrypted,
        "decrypted": opened.was_decrypted,
        "partly_encrypted": opened.partly_encrypted,
        "partly_signed": opened.partly_signed,
        "problem": opened.problem.value if opened.problem else "",
        "signature": opened.signature.verdict.value,
        "signer": opened.signature.fingerprint or "",
        "attachments": [[file.name, file.sha256] for file in opened.attachments],
        "keys": [found for key in opened.keys for found in key.fingerprints],
        "automatic": opened.automatic,
        "bounced": list(opened.bounced),
        "targets": list(opened.targets),
        "verdict": judge(opened, names_a_thread=False).verdict.value,
    } == {name: value for name, value in expected.items() if name not in MORE} | {
        "decrypted": expected["decrypted"],
        "signer": fingerprint(expected["signer"]),
        "keys": [fingerprint(name) for name in expected["keys"]],
    }


def test_the_batch_says_the_same_as_opening_one_by_one(desk: Keyring) -> None:
    paths = "".join(f"{exhibit.path}\n" for exhibit in ZOO)
    command = [sys.executable, "-m", "meldbalie", "inspect", "--batch", "--gnupghome", str(desk.home)]
    done = subprocess.run(command, input=paths.encode(), capture_output=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(ZOO)
    for exhibit, line in zip(ZOO, lines, strict=True):
        opened = open_letter(exhibit.path.read_bytes(), desk)
        assert (line["text"], line["problem"] or None) == (opened.text, opened.problem), exhibit.name
        assert line["signature"]["verdict"] == opened.signature.verdict, exhibit.name
        assert [file["sha256"] for file in line["attachments"]] == [
            file.sha256 for file in opened.attachments
        ]


def test_every_letter_of_a_client_stands_in_its_table() -> None:
    kept = set(LETTERS.glob("*/*.eml"))

    assert kept == {exhibit.path for exhibit in ZOO}
    assert sum(path.stat().st_size for path in kept) < 2_000_000


@pytest.mark.parametrize("exhibit", ZOO, ids=lambda exhibit: exhibit.name)
def test_no_letter_names_the_machine_that_it_was_made_on(exhibit: Exhibit) -> None:
    head = exhibit.path.read_bytes()
    for trace in (b"/root", b"/tmp/", b"/home/", b"127.0.0.1"):
        assert trace not in head, f"{exhibit.name} says {trace.decode()}"

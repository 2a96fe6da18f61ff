"""A short run of the same letters each time, and every letter that once did harm."""

from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.opening import Opened, open_letter
from meldbalie.mailbox.problem import Problem
from meldbalie.tests.fuzzing import letters
from meldbalie.tests.fuzzing.letters import CORPUS, Harm, seeds, try_letter
from meldbalie.tests.fuzzing.mutations import LONGEST, mutated


@pytest.fixture(scope="module")
def keyring() -> Generator[Keyring]:
    """A keyring without keys."""
    with Keyring.throwaway() as empty:
        yield empty


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.eml")), ids=lambda file: file.stem)
def test_a_letter_that_once_did_harm_does_none(keyring: Keyring, file: Path) -> None:
    try_letter(file.read_bytes(), keyring, Limits())


def test_four_hundred_changed_letters_do_no_harm(keyring: Keyring) -> None:
    random, known = Random(3834), seeds()
    for _ in range(400):
        try_letter(mutated(known, random), keyring)


def test_the_same_seed_gives_the_same_letters() -> None:
    known = seeds()
    one, other = ([mutated(known, random) for _ in range(20)] for random in (Random(1), Random(1)))
    assert one == other
    assert len(set(one)) > 15
    assert max(map(len, one)) <= max(LONGEST, *map(len, known))


def test_harm_is_seen_and_written_down(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unforeseen(raw: bytes, keyring: Keyring, *, limits: Limits) -> Opened:
        found = open_letter(raw, keyring, limits=limits)
        return Opened(found.letter, problem=Problem.UNREADABLE)

    monkeypatch.setattr(letters, "open_letter", unforeseen)
    monkeypatch.setattr(letters, "FOUND", tmp_path)

    with pytest.raises(Harm):
        try_letter(b"x", keyring)
    assert letters.unguided(0.2, keyring, letters.WITHOUT_GPG, Random(1)) == 1
    assert list(tmp_path.glob("*.eml"))
    assert "do harm" in capsys.readouterr().out

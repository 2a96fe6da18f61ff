"""What gpg is asked for one letter: not more often, not longer, and for no more bytes than is bearable."""

import pytest
from meldbalie.mailbox import consulting
from meldbalie.mailbox.gpg_verdicts import Decryption
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.opening import Problem, open_letter
from meldbalie.tests.cast import Cast
from meldbalie.tests.pgpmail import TEXT_PART, encrypted, file, headers, multipart, plain, signed


def test_all_sealed_pieces_together_have_one_limit(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consulting, "LARGEST_PLAINTEXT", 2_000_000)
    bomb = cast.encrypt(bytes(1_500_000), armour=False)
    assert len(bomb) < 20_000
    raw = headers(cast.reporter) + multipart(b"mixed", *(file(b"%d.bin.gpg" % one, bomb) for one in range(5)))

    letter = open_letter(raw, cast.desk)

    assert letter.problem is Problem.TOO_LARGE
    assert sum(one.size > 1_000_000 for one in letter.attachments) == 1
    assert [one.content for one in letter.attachments[1:]] == [bomb] * 4


def test_gpg_is_not_asked_again_after_it_was_too_slow(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def slow(_: Keyring, octets: bytes, **__: object) -> Decryption:
        asked.append(octets)
        return Decryption(None, Problem.TIMEOUT)

    monkeypatch.setattr(Keyring, "decrypt", slow)
    raw = headers(cast.reporter) + plain(cast.encrypt(b"x") * 5)
    assert open_letter(raw, cast.desk).problem is Problem.TIMEOUT
    assert len(asked) == 1


def test_slow_pieces_together_have_one_clock(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consulting, "_MOST_SECONDS", 0.0)
    letter = open_letter(headers(cast.reporter) + plain(cast.encrypt(b"x\n") * 5), cast.desk)
    assert (letter.problem, letter.text) == (Problem.TIMEOUT, "x\n")


def test_an_ordinary_report_costs_one_run_and_the_first_one_of_a_key_two(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    run = Keyring._run

    def counted(keyring: Keyring, *args: str, feed: bytes = b"") -> object:
        runs.append(" ".join(args))
        return run(keyring, *args, feed=feed)

    monkeypatch.setattr(Keyring, "_run", counted)
    sealed = headers(cast.reporter) + encrypted(cast, TEXT_PART, by=cast.reporter)
    clear = headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter)
    cast.desk._known.clear()
    counts: list[int] = []
    for raw in (sealed, sealed, clear):
        runs.clear()
        open_letter(raw, cast.desk)
        counts.append(len(runs))
    assert counts == [2, 1, 1]


def test_signatures_count_as_runs(cast: Cast) -> None:
    raw = headers(cast.reporter) + plain(cast.clearsign(b"x\n", cast.reporter) * 5)
    letter = open_letter(raw, cast.desk, limits=Limits(sealed=2))
    assert (letter.problem, letter.text) == (Problem.TOO_MANY_PARTS, "x\nx\n")

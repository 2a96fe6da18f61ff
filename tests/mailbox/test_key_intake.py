"""What becomes of keys that a sender offers again, changes, withdraws, or floods with signatures."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from meldbalie.mailbox.errors import CannotSeal, SealRefusal
from meldbalie.mailbox.gpg_status import GpgRun
from meldbalie.mailbox.key_intake import LARGEST_OFFERED_KEY, Adopted, RefusalReason, Refused
from meldbalie.mailbox.keyring import Keyring
from meldbalie.tests.cast import gpg

ADDRESS = "sam@elders.example"
BEFORE = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def ours() -> Iterator[Keyring]:
    with Keyring.throwaway() as keyring:
        yield keyring


@pytest.fixture
def theirs() -> Iterator[Keyring]:
    with Keyring.throwaway() as keyring:
        yield keyring


def adopted(result: Adopted | Refused) -> Adopted:
    assert isinstance(result, Adopted), result
    return result


def withdrawn(theirs: Keyring, key: str) -> bytes:
    """The public key, revoked with the certificate that gpg made beside it."""
    certificate = (theirs.home / "openpgp-revocs.d" / f"{key}.rev").read_bytes()
    gpg(theirs.home, "--import", feed=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    return theirs.export_public(key)


def runs_of(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What gpg is asked from here on."""
    runs: list[tuple[str, ...]] = []
    run = keyring._run  # pyright: ignore[reportPrivateUsage]

    def counted(*args: str, feed: bytes = b"") -> GpgRun:
        runs.append(args)
        return run(*args, feed=feed)

    monkeypatch.setattr(keyring, "_run", counted)
    return runs


def test_a_longer_life_a_new_subkey_and_a_withdrawal_of_the_same_key_are_learned(
    ours: Keyring, theirs: Keyring
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    key = theirs.make_key("Sam", ADDRESS, expires=end)
    first = adopted(ours.adopt(theirs.export_public(key), address=ADDRESS))

    gpg(theirs.home, "--quick-set-expire", key, "1y")
    gpg(theirs.home, "--quick-set-expire", key, "1y", "*")
    longer = adopted(ours.adopt(theirs.export_public(key), address=ADDRESS))
    gpg(theirs.home, "--quick-add-key", key, "cv25519", "encr", "1y")
    more = adopted(ours.adopt(theirs.export_public(key), address=ADDRESS))
    gone = ours.adopt(withdrawn(theirs, key), address=ADDRESS)

    assert first.key.expires_at == end
    assert longer.key.expires_at is not None
    assert longer.key.expires_at > end + timedelta(days=300)
    assert not longer.is_new
    assert len(more.key.sealing_keys()) == 2
    assert gone == Refused(RefusalReason.REVOKED, (key,), is_known=True)
    with pytest.raises(CannotSeal) as refused:
        ours.seal(b"x", to=key, signed_by=None)
    assert refused.value.reason is SealRefusal.REVOKED


def test_an_older_copy_does_not_undo_a_withdrawal(ours: Keyring, theirs: Keyring) -> None:
    key = theirs.make_key("Sam", ADDRESS)
    before = theirs.export_public(key)
    adopted(ours.adopt(before, address=ADDRESS))
    ours.adopt(withdrawn(theirs, key), address=ADDRESS)

    with Keyring(ours.home) as another_process:
        for keyring in (ours, another_process):
            again = keyring.adopt(before, address=ADDRESS)
            assert again == Refused(RefusalReason.REVOKED, (key,), is_known=True)


def test_a_key_that_had_ended_is_good_again_once_it_is_extended(ours: Keyring, theirs: Keyring) -> None:
    recipe = (
        "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign,cert\nSubkey-Type: ECDH\n"
        "Subkey-Curve: cv25519\nSubkey-Usage: encrypt\nName-Real: Sam\nExpire-Date: 1m\n"
        f"Name-Email: {ADDRESS}\n%no-protection\n%commit\n"
    )
    gpg(theirs.home, "--generate-key", feed=recipe.encode(), at=BEFORE)
    key = theirs.all_keys()[0].fingerprint
    ended = theirs.export_public(key)
    ours.import_public(ended)

    refused = ours.adopt(ended, address=ADDRESS)
    gpg(theirs.home, "--quick-set-expire", key, "10y")
    gpg(theirs.home, "--quick-set-expire", key, "10y", theirs.all_keys()[0].subkeys[1].fingerprint)

    assert refused == Refused(RefusalReason.EXPIRED, (key,), is_known=True)
    assert not adopted(ours.adopt(theirs.export_public(key), address=ADDRESS)).is_new
    assert ours.seal(b"x", to=key, signed_by=None)


def test_a_second_key_that_a_handler_has_let_in_is_no_alarm_any_more(ours: Keyring, theirs: Keyring) -> None:
    first, second = theirs.make_key("Sam", ADDRESS), theirs.make_key("Sam, laptop", ADDRESS)
    adopted(ours.adopt(theirs.export_public(first), address=ADDRESS))
    offered = theirs.export_public(second)
    assert ours.adopt(offered, address=ADDRESS) == Refused(RefusalReason.CHANGED_KEY, (second, first))

    ours.take_in(offered, only_address=ADDRESS)

    assert adopted(ours.adopt(offered, address=ADDRESS)).key.fingerprint == second


def test_a_name_of_the_same_key_is_added_for_another_address_of_its_holder(
    ours: Keyring, theirs: Keyring
) -> None:
    key = theirs.make_key("Sam", ADDRESS)
    gpg(theirs.home, "--quick-add-uid", key, "Sam <sam@werk.example>")
    offered = theirs.export_public(key)

    adopted(ours.adopt(offered, address=ADDRESS))
    second = adopted(ours.adopt(offered, address="sam@werk.example"))

    assert set(second.key.addresses) == {ADDRESS, "sam@werk.example"}
    assert not second.is_new


def test_a_false_name_in_a_key_is_not_believed(ours: Keyring, theirs: Keyring) -> None:
    key = theirs.make_key("Sam", ADDRESS)
    gpg(theirs.home, "--quick-add-uid", key, "Rex <rex@melder.example>")
    octets = gpg(theirs.home, "--export", key)

    forged = octets.replace(b"rex@melder.example", b"kim@melder.example")

    assert ours.adopt(forged, address="kim@melder.example") == Refused(RefusalReason.OTHER_ADDRESS, (key,))
    assert ours.all_keys() == ()


def test_signatures_by_the_thousand_are_left_outside(ours: Keyring, theirs: Keyring) -> None:
    key, other = theirs.make_key("Sam", ADDRESS), theirs.make_key("Ander", "a@b.example")
    gpg(theirs.home, "--default-key", other, "--quick-sign-key", key)
    flood = _flooded(theirs, key, 2000)
    assert 200_000 < len(flood) < LARGEST_OFFERED_KEY

    result = adopted(ours.adopt(flood, address=ADDRESS))

    assert result.key.fingerprint == key
    assert gpg(ours.home, "--with-colons", "--list-sigs", key).count(b"\nsig:") == 2
    assert len(gpg(ours.home, "--export", key)) < 1000


def _flooded(theirs: Keyring, key: str, times: int) -> bytes:
    """The key with another's signature repeated, each by a key that does not exist."""
    octets = gpg(theirs.home, "--export", key)
    listing = gpg(theirs.home, "--list-packets", feed=octets).decode()
    starts = [(int(at), int(tag)) for at, tag in re.findall(r"# off=(\d+) ctb=\w+ tag=(\d+)", listing)]
    at = next(number for number, (_, tag) in enumerate(starts) if tag == 14)
    signature = octets[starts[at - 1][0] : starts[at][0]]
    issuer = bytes.fromhex(re.findall(r"issuer key ID ([0-9A-F]{16})", listing)[1])
    assert signature.count(issuer) >= 1
    copies = [signature.replace(issuer, os.urandom(8)) for _ in range(times)]
    return octets[: starts[at][0]] + b"".join(copies) + octets[starts[at][0] :]


def test_a_key_that_is_offered_again_costs_nothing_and_a_new_one_few_runs_of_gpg(
    ours: Keyring, theirs: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = theirs.export_public(theirs.make_key("Sam", ADDRESS))
    ours.all_keys()
    runs = runs_of(ours, monkeypatch)

    for expected in (5, 1, 0):  # new; known, after the ring has changed; known
        adopted(ours.adopt(offered, address=ADDRESS))
        assert len(runs) <= expected, runs
        runs.clear()


def test_a_known_key_is_not_imported_again_by_another_process(
    ours: Keyring, theirs: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = theirs.export_public(theirs.make_key("Sam", ADDRESS))
    adopted(ours.adopt(offered, address=ADDRESS))

    with Keyring(ours.home) as another_process:
        runs = runs_of(another_process, monkeypatch)
        adopted(another_process.adopt(offered, address=ADDRESS))

    assert len(runs) == 2
    assert not any("--import" in run and "show-only" not in "".join(run) for run in runs)


def test_what_is_remembered_does_not_grow_for_ever(
    ours: Keyring, theirs: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meldbalie.mailbox.key_intake.MOST_REMEMBERED", 2)
    for number in range(5):
        address = f"r{number}@melder.example"
        adopted(ours.adopt(theirs.export_public(theirs.make_key("R", address)), address=address))
        assert len(ours.adopted) <= 2

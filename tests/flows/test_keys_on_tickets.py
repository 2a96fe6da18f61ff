"""A reporter's key on a ticket: taken, refused with the reason, changed, withdrawn; with real parts."""

import pytest
from meldbalie.flows.operator.demo_files import CVD
from meldbalie.flows.operator.keys_pin import pin
from meldbalie.mailbox.compose import Attachment, Draft, plain
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import open_letter
from meldbalie.models.errors import Refused
from meldbalie.models.key_problems import reporters_key_problem
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows.glances import answers, goes_round, history, outbox, reply_address, states
from meldbalie.tests.flows.world import NAME, World

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
PLAIN = "Op https://www.voorbeeld.example/ staat een lijst met wachtwoorden open."


def brings(world: World, *keys: bytes, text: str = PLAIN, to: str = CVD, sender: str = "") -> None:
    """The reporter mails, unsealed, and attaches these keys."""
    files: tuple[Attachment, ...] = tuple(
        (f"{n}.asc", "application/pgp-keys", key) for n, key in enumerate(keys)
    )
    draft = Draft(
        sender_name=NAME,
        sender=sender or world.people.reporter.address,
        recipient=to,
        subject="Lek",
        body=text,
        attachments=files,
        message_id=f"<{len(outbox(world))}.{abs(hash(text))}@onderzoek.example>",
        date=world.present(),
    )
    world.arrives(plain(draft))
    goes_round(world)


def own_key(world: World) -> bytes:
    with Keyring(world.people.reporter.home) as keyring:
        return keyring.export_public(world.people.reporter.fingerprint)


def problems(world: World, reference: str) -> list[tuple[str, str]]:
    with world.place.database.reading() as session:
        events = ticket_called(session, reference).history
        return [(entry.facts["problem"], entry.because) for entry in events if entry.kind == "key_problem"]


def alarms(world: World) -> list[str]:
    """What the handler reads of keys on tickets."""
    found = world.read_by(world.people.handler)
    return [mail.text for mail in found if "Mind a key" in mail.subject]


def reporters_mail(world: World) -> list[str]:
    return [" ".join(mail.text.split()) for mail in world.read_by(world.people.reporter)]


def test_another_key_for_a_known_address_alarms_the_handlers_and_is_not_sealed_to(world: World) -> None:
    brings(world, own_key(world))
    with Keyring.throwaway() as theirs:
        false = theirs.make_key(NAME, world.people.reporter.address)
        brings(world, theirs.export_public(false), text="Hello again: https://www.voorbeeld.example/x")

    assert world.tickets() == [FIRST, SECOND]
    assert problems(world, FIRST) == []
    assert problems(world, SECOND) == [("changed_key", f"key {false}")]
    [alarm] = alarms(world)
    assert SECOND in alarm
    assert "not the key that we know for this address" in " ".join(alarm.split())
    assert false not in alarm
    told = [mail.text for mail in world.read_by(world.people.handler) if "New report" in mail.subject]
    assert ["not the key that we know" in text for text in told] == [False, True]
    receipt = reporters_mail(world)[-1]
    assert "We cannot use the OpenPGP key that came with your message" in receipt
    assert PLAIN not in receipt
    assert world.place.keyring.facts(false) is None


def test_a_changed_key_on_a_ticket_leaves_its_mail_sealed_to_the_key_that_was_pinned(world: World) -> None:
    brings(world, own_key(world))
    with Keyring.throwaway() as theirs:
        false = theirs.make_key(NAME, world.people.reporter.address)
        offered = theirs.export_public(false)
    for _ in range(2):
        brings(world, offered, text="Mijn nieuwe sleutel.", to=reply_address(world, FIRST))
    answers(world, FIRST)
    goes_round(world)

    assert problems(world, FIRST) == [("changed_key", f"key {false}")]
    assert len(alarms(world)) == 1
    assert states(world, MailKind.KEY_REFUSED) == ["sent"]
    assert world.read_by(world.people.reporter)[-1].was_decrypted


def test_a_changed_key_that_a_human_has_compared_is_taken_from_its_mail_and_sealed_to(world: World) -> None:
    brings(world, own_key(world))
    with Keyring.throwaway() as theirs:
        new = theirs.make_key(NAME, world.people.reporter.address)
        brings(world, theirs.export_public(new), text="Nieuwe laptop.", to=reply_address(world, FIRST))

        pin(world.place, world.place.keyring, FIRST.lower(), new, by="A. Jansen")
        answers(world, FIRST)
        goes_round(world)

        [sealed] = world.mail.mails(world.people.reporter.address)[-1:]
        answer = open_letter(sealed, theirs)
    assert answer.was_decrypted
    assert "Dank." in answer.text
    with world.place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        [pinned] = [entry for entry in ticket.history if entry.kind == "key_pinned"]
        assert (pinned.actor, pinned.because) == ("A. Jansen", f"key {new}")
        assert ticket.reporter.fingerprint == new
        assert reporters_key_problem(ticket) is None
    with pytest.raises(Refused, match="already"):
        pin(world.place, world.place.keyring, FIRST, new, by="A. Jansen")
    with pytest.raises(Refused, match="does not name the reporter's address"):
        pin(world.place, world.place.keyring, FIRST, world.people.ibd.fingerprint, by="A. Jansen")


def test_a_known_key_that_is_not_the_tickets_is_an_alarm_as_well(world: World) -> None:
    brings(world, own_key(world))
    with Keyring.throwaway() as theirs:
        other = theirs.make_key(NAME, world.people.reporter.address)
        offered = theirs.export_public(other)
    world.place.keyring.take_in(offered)  # an operator has pinned it for another ticket

    brings(world, offered, text="Nog iets.", to=reply_address(world, FIRST))

    assert problems(world, FIRST) == [("changed_key", f"key {other}")]
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).reporter.fingerprint == world.people.reporter.fingerprint


@pytest.mark.parametrize(
    ("usage", "algorithm", "address", "problem", "said"),
    [
        ("sign", "ed25519", "", "no_encryption_key", "no usable subkey to encrypt to"),
        ("default", "rsa1024", "", "weak", "shorter than 2048 bits"),
        ("default", "default", "anders@elders.example", "other_address", "does not carry the mail address"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_with_the_reason_in_the_receipt(
    world: World, usage: str, algorithm: str, address: str, problem: str, said: str
) -> None:
    with Keyring.throwaway() as theirs:
        who = f"{NAME} <{address or world.people.reporter.address}>"
        gpg(theirs.home, "--quick-generate-key", who, algorithm, usage, "0")
        key = theirs.all_keys()[0].fingerprint
        if algorithm == "rsa1024":
            gpg(theirs.home, "--quick-add-key", key, "rsa1024", "encrypt", "0")
        offered = theirs.export_public(key)
    brings(world, offered)

    assert problems(world, FIRST) == [(problem, f"key {key}")]
    assert said in reporters_mail(world)[-1]
    assert alarms(world) == []
    assert outbox(world, MailKind.KEY_REFUSED) == []


def test_a_secret_key_of_the_sender_alarms_and_one_of_somebody_else_is_a_report(world: World) -> None:
    own, found = "", ""
    with Keyring.throwaway() as theirs:
        own = theirs.make_key(NAME, world.people.reporter.address)
        found = theirs.make_key("Beheer", "beheer@voorbeeld.example")
        secrets = [gpg(theirs.home, "--armor", "--export-secret-keys", key) for key in (own, found)]
    brings(world, secrets[1], text="Deze sleutel staat op https://www.voorbeeld.example/.gnupg")
    brings(world, secrets[0])

    assert [problem for problem, _ in problems(world, FIRST)] == ["malformed"]
    assert problems(world, SECOND) == [("secret_key", f"key {own}")]
    assert len(alarms(world)) == 1
    assert "counts as leaked now: revoke it" in reporters_mail(world)[-1]
    assert len(world.place.keyring.own_keys()) == 1


@pytest.mark.parametrize(
    ("file", "problem"), [(b"rubbish", "malformed"), (b"x" * 600_000, "too_large"), (b"", "malformed")]
)
def test_a_file_that_should_be_a_key_and_is_none_is_refused(world: World, file: bytes, problem: str) -> None:
    brings(world, file)

    assert problems(world, FIRST) == [(problem, "")]


def test_a_bad_key_that_comes_later_is_answered_once_and_a_good_one_ends_it(world: World) -> None:
    brings(world)
    with Keyring.throwaway() as theirs:
        other = theirs.make_key("Iemand", "iemand@elders.example")
        for number in range(3):
            brings(
                world,
                theirs.export_public(other),
                text=f"Poging {number}",
                to=reply_address(world, FIRST),
            )
    told = reporters_mail(world)
    brings(world, own_key(world), text="Deze dan.", to=reply_address(world, FIRST))
    answers(world, FIRST)
    goes_round(world)

    assert len(told) == 2  # the receipt and one refusal
    assert "We cannot use the OpenPGP key that you sent us" in told[-1]
    assert "Poging" not in "".join(told)
    assert history(world, FIRST).count("key_problem") == 1
    assert history(world, FIRST).count("key_taken") == 1
    assert world.read_by(world.people.reporter)[-1].was_decrypted


def test_our_own_key_sent_back_and_keys_of_others_beside_a_good_one_are_no_problem(world: World) -> None:
    desk = world.people.desk
    ours = world.place.keyring.export_public(desk.fingerprint)
    other = world.place.keyring.export_public(world.people.ibd.fingerprint)

    brings(world, ours, other, own_key(world))
    brings(world, ours, text="Zonder sleutel: https://www.voorbeeld.example/y")

    assert problems(world, FIRST) == problems(world, SECOND) == []


def test_of_two_new_keys_the_first_is_taken_and_the_other_alarms_nobody(world: World) -> None:
    with Keyring.throwaway() as theirs:
        first, second = (theirs.make_key(NAME, world.people.reporter.address) for _ in range(2))
        brings(world, theirs.export_public(first), theirs.export_public(second))

    assert problems(world, FIRST) == []
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).reporter.fingerprint == first
    assert world.place.keyring.facts(second) is None


def test_a_withdrawn_key_is_learned_and_mail_to_it_is_without_content(world: World) -> None:
    with Keyring.throwaway() as theirs:
        key = theirs.make_key(NAME, world.people.reporter.address)
        brings(world, theirs.export_public(key))
        certificate = (theirs.home / "openpgp-revocs.d" / f"{key}.rev").read_bytes()
        gpg(theirs.home, "--import", feed=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
        revoked = theirs.export_public(key)
    brings(world, revoked, text="Mijn laptop is gestolen.", to=reply_address(world, FIRST))
    answers(world, FIRST)
    goes_round(world)

    assert problems(world, FIRST) == [("revoked", f"key {key}")]
    [alarm] = alarms(world)
    assert "the key was revoked" in alarm
    [answer] = outbox(world, MailKind.ANSWER)
    assert (answer.state, answer.was_sealed) == (MailState.SENT, False)
    assert "Dank." not in reporters_mail(world)[-1]


def test_the_key_of_a_ticket_is_in_no_column_that_is_not_encrypted(world: World) -> None:
    brings(world, own_key(world))
    with Keyring.throwaway() as theirs:
        false = theirs.make_key(NAME, world.people.reporter.address)
        brings(world, theirs.export_public(false), to=reply_address(world, FIRST), text="Nieuw.")

    file = world.place.config.database.url.removeprefix("sqlite:///")
    with open(file, "rb") as database, open(f"{file}-wal", "rb") as log:
        kept = database.read() + log.read()

    for secret in (false, world.people.reporter.fingerprint, world.people.reporter.address):
        assert secret.encode() not in kept

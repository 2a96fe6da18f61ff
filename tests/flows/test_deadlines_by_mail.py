"""A reply to the mail of a deadline says that it was seen; what its writer is told of it is true."""

import pytest
from meldbalie.flows.history_words import told
from meldbalie.models import acts
from meldbalie.models.people import Correspondent
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import Event, ticket_called
from meldbalie.tests.flows import office as offices
from meldbalie.tests.flows.office import BAS, Office, words

SEEN = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGezien, ik kijk ernaar.\r\n"


desk, office = offices.desk, offices.office


def acknowledged(office: Office) -> list[Event]:
    return [entry for entry in office.history() if entry.kind == "acknowledged"]


def last_line(office: Office) -> str:
    """How the history tells that a deadline was seen."""
    with office.world.place.database.reading() as session:
        history = ticket_called(session, office.reference).history
        return next(told(office.world.place, entry) for entry in history if entry.kind == "acknowledged")


def test_an_unsigned_reply_acknowledges_and_says_that_it_did_no_more(office: Office) -> None:
    answered = office.reminder(office.hanna.address)
    office.arrives(office.mail(office.hanna, office.seals(office.hanna, SEEN), headers=answered))

    heard = words(office.hears(office.hanna))
    assert "die geldt nu als gezien. Verder is uw mail alleen bewaard bij het ticket" in heard
    assert "it counts as seen now. Apart from that your mail was only filed on the ticket" in heard
    assert "Er is niets uitgevoerd" not in heard
    assert "Nothing was done" not in heard
    (seen,) = acknowledged(office)
    assert (seen.actor, seen.facts["how"]) == ("Hanna Verhoeven", "unsigned_reply")
    assert last_line(office).endswith(" (by unsigned reply)")


def test_a_signed_reply_that_orders_nothing_acknowledges_as_well(office: Office) -> None:
    answered = office.reminder(office.hanna.address)
    heard = words(office.hands_in("Gezien, ik kijk ernaar.", headers=answered))

    assert "it counts as seen now. Apart from that your mail was only filed" in heard
    assert acknowledged(office)[0].facts["how"] == "signed_reply"
    assert last_line(office).endswith(" (by signed reply)")


def test_what_is_refused_in_reply_to_a_deadline_still_acknowledges_it(office: Office) -> None:
    answered = office.reminder(office.hanna.address)
    heard = words(office.hands_in("fxi 2026-12-15", headers=answered))

    assert "Uw mail is NIET uitgevoerd. Wel geldt de herinnering" in heard
    assert "What your mail asks was NOT done. The deadline whose mail you replied to does count" in heard
    assert "Nothing was changed" not in heard


def test_what_is_done_in_reply_to_a_deadline_says_so(office: Office) -> None:
    answered = office.reminder(office.hanna.address)
    heard = words(office.hands_in("accept", headers=answered))

    assert "What your mail asks was done, and the deadline whose mail you replied to counts as seen." in heard


def test_who_has_no_key_is_told_the_same(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    address = office.hanna.address
    answered = office.reminder(address)
    without = Correspondent("Hanna Verhoeven", address, "")
    monkeypatch.setattr("meldbalie.flows.mail_orders.known_sender", lambda *_: without)
    office.arrives(office.mail(office.hanna, office.seals(office.hanna, SEEN), headers=answered))
    office.delivers()

    notice = office.world.mail.mails(address)[-1].decode()
    assert "no usable OpenPGP key" in notice
    assert "die geldt nu als gezien" in " ".join(notice.split())
    assert "it counts as seen now" in " ".join(notice.split())


def test_a_machine_has_seen_nothing(office: Office) -> None:
    answered = office.reminder(office.hanna.address)
    marks = f"{answered}Auto-Submitted: auto-generated\r\n"
    office.arrives(office.writes(office.hanna, "Your mail was received.", headers=marks))

    assert office.last_message().text.strip() == "Your mail was received."
    assert acknowledged(office) == []


def test_a_reply_to_another_mail_says_nothing_of_deadlines(office: Office) -> None:
    office.arrives(office.mail(office.hanna, office.seals(office.hanna, SEEN)))
    heard = words(office.hears(office.hanna))
    assert "Er is niets uitgevoerd" in heard
    assert "Nothing was done" in heard
    assert "seen" not in heard


def test_a_refusal_of_the_desk_is_quoted_in_its_own_language(office: Office) -> None:
    place = office.world.place
    with place.database.unit_of_work() as session:
        acts.close(
            session, ticket_called(session, office.reference), reason=CloseReason.OBSOLETE,
            by=BAS, because="", promise=place.promise, now=office.world.present(),
        )  # fmt: skip
    office.world.present.passes(minutes=1)

    dutch, _, english = words(office.hands_in("accept")).partition("You sent a mail")
    assert "dat kan op dit ticket nu niet. Het systeem meldt, in het Engels: “" in dutch
    assert "(CVD" not in dutch
    assert "“" not in english

"""Handlers and owners answer by mail: what they sign is done once, and tells the reporter nothing of them."""

from collections.abc import Generator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from meldbalie.models.outbox import MailKind
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import Direction, WaitingOn, ticket_called
from meldbalie.tests.flows import office as offices
from meldbalie.tests.flows.office import BAS, HANNA, LEAD, PHONE, Office, make_office, signature_under, words
from meldbalie.tests.postgres import PostgresServer

ACCEPT = b"Content-Type: text/plain\r\n\r\naccept\r\n"
SECRET = "klokkenluider"
WORDS = "Wij hebben het lek gevonden en maken een aanpassing."

office = offices.office


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, home_of_all: Path) -> Generator[Office]:
    """One installation for all of these cases, each of which has a ticket of its own."""
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.url(stack.enter_context(server.new_database()))
        yield stack.enter_context(make_office(home_of_all, url))


def kinds(office: Office) -> list[str]:
    return [entry.kind for entry in office.history()]


def response_stopped(office: Office) -> bool:
    with office.world.place.database.reading() as session:
        ticket = ticket_called(session, office.reference)
        (clock,) = [one for one in ticket.clocks if one.kind == "response"]
        return clock.stopped_at is not None


def test_an_answer_by_mail_stops_the_clock_when_it_is_delivered(office: Office) -> None:
    text = f"fix {office.fix_on}\n\n{WORDS}\n{signature_under(HANNA, office.hanna.address)}"
    office.arrives(office.writes(office.hanna, text))

    assert not response_stopped(office)
    office.delivers()
    assert response_stopped(office)
    (answer,) = [mail for mail in office.to_reporter() if WORDS in mail]
    assert str(office.fix_on.year) in answer
    assert office.ticket().expected_fix_on == office.fix_on
    told = office.hears(office.hanna)
    assert told.was_decrypted
    assert f"name the day by which it is fixed: {office.fix_on.day} {office.fix_on:%B %Y}" in words(told)
    assert f"> {WORDS}" in told.text
    assert "stops once this mail is delivered" in words(told)
    proved = [entry for entry in office.history() if entry.kind == "proved"]
    assert [(entry.actor, entry.facts["proof"]) for entry in proved] == [(HANNA, "signature")]


def test_what_is_written_without_a_command_is_a_message_and_the_clock_runs_on(office: Office) -> None:
    told = office.hands_in(f"Beste melder,\n\n{WORDS}\n\nMet vriendelijke groet,\n\n{HANNA}\nT {PHONE}\n")

    assert [mail for mail in office.to_reporter() if WORDS in mail]
    assert not response_stopped(office)
    assert "the response clock runs on" in words(told)
    assert "Answer before:" in told.text
    others = [mail.text for mail in office.read_by(office.second) if WORDS in mail.text]
    assert len(others) == 1
    assert "    message\n" in others[0]


def test_several_commands_are_all_done_or_none_is(office: Office) -> None:
    told = office.hands_in(f"fix {office.fix_on}\naccept\nrelease\n\n{WORDS}")
    assert "NOT done" in told.text
    assert "is not held" in words(told)
    assert office.ticket().expected_fix_on is None
    assert "answered" not in kinds(office)
    assert office.outbox(MailKind.ANSWER, MailKind.STATE_CHANGED) == []
    assert office.last_message().doubt == "order_refused"

    told = office.hands_in(f"accept\nfix {office.fix_on}\nseverity high\n\n{WORDS}")
    assert "What your mail asks was done" in told.text
    ticket = office.ticket()
    assert (ticket.state, ticket.expected_fix_on, ticket.severity) == (
        TicketState.ACCEPTED,
        office.fix_on,
        "high",
    )


def test_each_command_of_a_handler(office: Office) -> None:
    office.hands_in("confirm: we see it too")
    assert office.ticket().state is TicketState.VALID
    office.hands_in("hold\n\nwaiting for a window")
    assert office.ticket().state is TicketState.DEFERRED
    office.hands_in("accept")
    assert office.ticket().state is TicketState.ACCEPTED
    office.hands_in("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N")
    assert office.ticket().severity == "high"
    office.hands_in("wacht op leverancier: een nieuwe versie")
    assert office.ticket().waiting_on is WaitingOn.SUPPLIER
    office.hands_in("ask: which browser was it?")
    assert office.ticket().waiting_on is WaitingOn.REPORTER
    assert [mail for mail in office.to_reporter() if "which browser was it?" in mail]
    office.hands_in("milestone fix ready")
    assert "milestone" in kinds(office)
    office.hands_in("no date: the supplier is silent")
    assert office.outbox(MailKind.ANSWER)
    office.hands_in("assign Netwerkteam: it is theirs")
    assert office.ticket().owner_id is not None
    assert "assigned" in kinds(office)
    told = office.hands_in("release")
    assert "is not held" in words(told)
    before = len(office.to_reporter())
    office.hands_in("intern: de melder belt steeds")
    assert len(office.to_reporter()) == before
    assert kinds(office)[-1] in ("noted", "delivered")
    assert "steeds" in office.last_message().text
    office.hands_in("close opgelost: installed on all servers")
    ticket = office.ticket()
    assert (ticket.state, ticket.close_reason) == (TicketState.CLOSED, CloseReason.REMEDIATED)

    told = office.hands_in("fix 2030-01-01\n\nNog iets.")
    assert "is closed" in words(told)


def test_each_command_of_an_owner_and_what_only_the_desk_may_do(office: Office) -> None:
    desks = ("close remediated", "release", "assign Netwerkteam", "severity high", "confirm")
    for command in (*desks, "niet bevestigd: bij ons gebeurt het niet"):
        told = office.hands_in(command, office.owner, name="Webteam")
        assert "only the desk itself can do this" in words(told), command
    assert office.ticket().state is TicketState.RECEIVED
    assert "proved" not in kinds(office)

    office.hands_in(f"accept\nfix {office.fix_on}", office.owner, name="Webteam")
    assert office.ticket().state is TicketState.ACCEPTED
    office.hands_in("ask: welke pagina?", office.owner, name="Webteam")
    assert office.ticket().waiting_on is WaitingOn.REPORTER
    told = office.hands_in(f"{WORDS}\n\nGroet,\nWebteam", office.owner, name="Webteam")
    assert [mail for mail in office.to_reporter() if WORDS in mail]
    office.hands_in("internal: ask the supplier", office.owner, name="Webteam")
    assert office.last_message().direction is Direction.FROM_OWNER
    assert {entry.actor for entry in office.history() if entry.kind == "proved"} == {"Webteam"}
    for mail in office.read_by(office.owner):
        assert not any(word in mail.text for word in ("Sanne", "onderzoek.example", "12 34 56 78"))
    assert told.was_decrypted


def test_a_reporter_never_reads_who_answers(office: Office) -> None:
    shapes = {
        "plain": f"{WORDS} één\n{signature_under(HANNA, office.hanna.address)}",
        "farewell": f"{WORDS} twee\n\nMet vriendelijke groet,\n\n{HANNA}\nGemeente Voorbeeld\nT {PHONE}\n\n"
        "De informatie in dit bericht is vertrouwelijk. Bent u niet de geadresseerde? Gooi het dan weg.\n",
        "name": f"{WORDS} drie, zegt {HANNA} ({office.hanna.address}, {PHONE}) namens {BAS} en {LEAD}.\n",
        "phone": f"{WORDS} vier\n\nVerstuurd vanaf mijn iPhone\n\n> Op 19 nov. 2026 om 14:05 heeft CVD"
        f" <{office.token()}> het volgende geschreven:\n> \n> (English text below.)\n> {SECRET} van {BAS}\n",
        "outlook": f"{WORDS} vijf\n\n{HANNA}\n\nVan: CVD <{office.token()}>\nVerzonden: donderdag\n"
        f"Aan: {HANNA} <{office.hanna.address}>\nOnderwerp: x\n\n(English text below.)\n{SECRET}\n",
        "bottom": f"On Thu, 19 Nov 2026 at 14:05, CVD <{office.token()}> wrote:\n> {SECRET}\n\n{WORDS} zes\n",
    }
    for text in shapes.values():
        told = office.hands_in(text)
        assert "What your mail asks was done" in told.text, told.text
    html = (
        f"<html><body><p>{WORDS} zeven</p><p>Groet,<br>{HANNA}</p><div>Op 19-11-2026 schreef CVD:<br>"
        f"<blockquote>{SECRET}<br>(English text below.)</blockquote></div></body></html>"
    )
    told = office.hands_in(html, kind="html")
    assert "What your mail asks was done" in told.text, told.text

    read = office.to_reporter()
    for number in ("één", "twee", "drie", "vier", "vijf", "zes", "zeven"):
        assert len([mail for mail in read if f"{WORDS} {number}" in mail]) == 1, number
    everything = "\n".join(read)
    for word in (
        "Hanna",
        "Verhoeven",
        "Tuinman",
        "Oosterhout",
        "balie@",
        "123 45 67",
        SECRET,
        "iPhone",
    ):
        assert word not in everything, word
    shown = office.said()
    assert len(shown) == 7
    assert not any(word in text for text in shown for word in ("Hanna", "balie@", SECRET))


DOUBTFUL = (
    "fix 15/13",
    "fix",
    "clsoe remediated",
    "accept the risk until then, we do.",
    "close",
    "interm: de melder is vervelend en belt steeds weer",
    "Beste melder,\n\nDank.\n\nintern: hij is vervelend",
    "Beste melder,\n\nfix 2030-12-15",
    "> alles is aangehaald\n",
    "Verstuurd vanaf mijn iPhone",
    "Hoi,\n\nSchrijf mij op piet.jansen@gmail.com over het lek.",
    "Wij kijken ernaar en melden ons weer.\n\nKarel Appelboom",
)


def test_what_is_in_doubt_is_sent_to_nobody(office: Office) -> None:
    before = len(office.to_reporter())

    for text in DOUBTFUL:
        told = office.hands_in(text)
        assert "was NOT done" in told.text, text
        assert "This is how it works" in told.text
        assert office.last_message().doubt == "order_refused", text
    assert len(office.to_reporter()) == before
    assert office.outbox(MailKind.TOLD, MailKind.ASKED, MailKind.ANSWER) == []


def test_a_signed_mail_counts_once_on_its_ticket_and_on_every_other(office: Office) -> None:
    armour = office.signs(office.hanna, ACCEPT)
    office.arrives(office.mail(office.hanna, armour))
    assert office.ticket().state is TicketState.ACCEPTED
    office.hands_in("hold: we wait")

    office.arrives(office.mail(office.hanna, armour))
    assert office.ticket().state is TicketState.DEFERRED
    assert office.last_message().doubt == "signed_before"
    assert "was dealt with before" in words(office.hears(office.hanna))

    signed_later = office.signs(office.hanna, ACCEPT)
    office.world.present.passes(hours=1)
    first, second = office.reference, office.is_reported()
    office.arrives(office.mail(office.hanna, signed_later))
    assert office.last_message().doubt == "signed_long_ago"
    fresh = office.signs(office.hanna, ACCEPT)
    office.arrives(office.mail(office.hanna, fresh))
    assert office.ticket().state is TicketState.ACCEPTED
    office.reference = first
    office.arrives(office.mail(office.hanna, fresh))
    assert office.last_message().doubt == "signed_before"
    assert office.ticket().state is TicketState.DEFERRED
    assert second != first


def test_a_refused_mail_is_not_done_when_it_is_sent_again_later(office: Office) -> None:
    armour = office.signs(office.hanna, b"Content-Type: text/plain\r\n\r\nclose remediated\r\n")
    office.arrives(office.mail(office.hanna, armour))
    assert office.ticket().is_open
    office.hands_in("accept")

    office.arrives(office.mail(office.hanna, armour))
    assert office.ticket().is_open
    assert office.last_message().doubt == "signed_before"


def test_only_a_fresh_signature_for_this_thread_counts(office: Office) -> None:
    old = office.signs(office.hanna, ACCEPT)
    office.world.present.passes(days=4)
    office.arrives(office.mail(office.hanna, old))
    assert office.last_message().doubt == "signed_long_ago"
    office.world.present.passes(days=-4)

    for other in (office.second.address, office.token("owner")):
        office.arrives(office.writes(office.hanna, "accept", inside=f"To: {other}\r\n"))
        assert office.last_message().doubt == "meant_for_others"
    assert office.ticket().state is TicketState.RECEIVED
    office.arrives(office.writes(office.hanna, "accept", inside=f"To: {office.token()}\r\n"))
    assert office.ticket().state is TicketState.ACCEPTED


def test_a_signature_from_before_the_ticket_counts_for_nothing(office: Office) -> None:
    early = office.signs(office.hanna, ACCEPT)
    office.world.present.passes(hours=1)
    office.is_reported()

    office.arrives(office.mail(office.hanna, early))

    assert office.last_message().doubt == "signed_long_ago"
    assert office.ticket().state is TicketState.RECEIVED


def test_unsigned_and_wrongly_signed_mail_is_only_filed_and_says_so(office: Office) -> None:
    unsigned = office.mail(
        office.hanna,
        office.seals(office.hanna, ACCEPT),
    )
    office.arrives(unsigned)
    assert office.last_message().doubt == "unsigned"
    assert "the mail is not signed" in words(office.hears(office.hanna))
    told = [mail.text for mail in office.read_by(office.second) if "Only filed" in mail.text]
    assert len(told) == 1

    office.arrives(office.writes(office.owner, "accept", to=office.token("staff"), name="Webteam"))
    assert office.last_message().doubt == "other_signer"
    office.arrives(office.writes(office.hanna, "accept", to=office.token("owner")))
    assert office.last_message().doubt in ("other_address", "other_signer")
    impostor = office.writes(office.owner, "accept", name=HANNA).replace(
        office.owner.address.encode(), office.hanna.address.encode()
    )
    office.arrives(impostor)
    assert office.last_message().doubt == "badly_signed"
    assert office.ticket().state is TicketState.RECEIVED
    assert "proved" not in kinds(office)


def test_a_former_owner_has_no_say_and_the_new_one_has(office: Office) -> None:
    address = office.token("owner")
    office.hands_in("assign Netwerkteam: van hen")
    office.delivers()

    told = office.hands_in("accept", office.owner, to=address, name="Webteam")
    assert office.last_message().direction is Direction.FROM_FORMER_OWNER
    assert office.last_message().doubt == "has_no_say"
    assert office.ticket().state is TicketState.RECEIVED
    assert "only filed" in words(told)
    assert "do not answer the reporter on this ticket (any more)" in words(told)
    again = f"accept\n\n{WORDS}"
    office.hands_in(again, office.owner, to=told.letter.to[0] if told.letter.to else address, name="Webteam")
    assert office.ticket().state is TicketState.RECEIVED


def test_a_machines_reply_orders_nothing_and_nobody_is_told(office: Office) -> None:
    before = len(office.outbox(MailKind.ORDER_REPLY))
    office.arrives(
        office.writes(office.hanna, "accept", headers="Auto-Submitted: auto-replied\r\nPrecedence: bulk\r\n")
    )
    office.arrives(office.writes(office.hanna, "accept", headers="Auto-Submitted: auto-generated\r\n"))
    assert office.last_message().text.strip() == "accept"
    assert office.ticket().state is TicketState.RECEIVED
    assert len(office.outbox(MailKind.ORDER_REPLY)) == before


def test_a_reply_to_a_reminder_is_no_message_to_the_reporter(office: Office) -> None:
    answered = office.reminder(office.hanna.address)

    told = office.hands_in("Gezien, ik kijk ernaar.", headers=answered)
    assert "is not the reporter's" in words(told)
    assert office.outbox(MailKind.TOLD) == []
    office.hands_in("message:\n\nWij zijn er nog mee bezig.", headers=answered)
    assert len(office.outbox(MailKind.TOLD)) == 1


def test_files_stay_with_us(office: Office) -> None:
    entity = (
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n'
        b"Zie de schermafdruk.\r\n--x\r\nContent-Type: image/png\r\n"
        b'Content-Disposition: attachment; filename="Hanna.png"\r\n\r\nklokkenluider\r\n--x--\r\n'
    )
    office.arrives(office.mail(office.hanna, office.signs(office.hanna, entity)))

    assert "not sent to the reporter" in words(office.hears(office.hanna))
    assert [mail for mail in office.to_reporter() if "Zie de schermafdruk." in mail]
    assert SECRET not in "\n".join(office.to_reporter())


def test_inline_pgp_is_heard_as_well(office: Office) -> None:
    armour = office.signs(office.hanna, f"fix {office.fix_on}\n\n{WORDS}\n".encode())
    raw = (
        f"From: {HANNA} <{office.hanna.address}>\r\nTo: {office.token()}\r\nSubject: Re\r\n"
        "Message-ID: <inline@desk.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    ).encode() + armour
    office.arrives(raw)

    assert office.ticket().expected_fix_on == office.fix_on


def test_a_second_answer_by_another_handler_is_a_new_one(office: Office) -> None:
    office.hands_in(f"fix {office.fix_on}\n\n{WORDS}")
    later = office.fix_on + timedelta(days=7)
    office.arrives(office.writes(office.second, f"fix {later}\n\nHet duurt langer.", name=BAS))

    assert office.ticket().expected_fix_on == later
    assert len(office.outbox(MailKind.ANSWER)) == 2

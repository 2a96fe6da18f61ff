"""Whoever signs an answer stays unknown to the reporter, and what they sign counts once."""

import base64
from dataclasses import replace

import pytest
from meldbalie.flows.operator.demo_files import Person
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.people import Correspondent
from meldbalie.models.states import TicketState
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows import office as offices
from meldbalie.tests.flows.office import Office, words

WILLEM = "Willem Bakker kijkt ernaar. Bakker werkt bij ons, mail willem.bakker@voorbeeld.example."
AT_OURS = (
    "Mail servicemensen@voorbeeld.example voor de logs.",
    "Mail h.jansen [at] voorbeeld [dot] example voor de logs.",
    "Mail hendrika punt jansen apenstaart voorbeeld punt example voor de logs.",
    "Mail h.jansen%40voorbeeld.example voor de logs.",
)

desk, office = offices.desk, offices.office


def test_the_name_in_from_is_taken_out_where_the_configuration_names_a_team(office: Office) -> None:
    office.hands_in(WILLEM, office.owner, name="Willem Bakker")
    office.hands_in(WILLEM, office.owner, name='"Bakker, W. (Willem)"')

    by_name, by_initial = office.said()
    assert by_name == "[…] kijkt ernaar. […] werkt bij ons, mail […]."
    assert "Bakker" not in by_initial
    assert "willem.bakker" not in by_initial


def test_the_name_under_the_seal_is_taken_out_as_well(office: Office) -> None:
    inside = f"From: Wim Kuiper <{office.owner.address}>\r\nReply-To: Wim <w.k@kuiper.example>\r\n"

    office.hands_in("Wim Kuiper of w.k@kuiper.example helpt u.", office.owner, name="Webteam", inside=inside)

    assert office.said() == ["[…] of […] helpt u."]


def test_the_names_in_a_pinned_key_are_taken_out(office: Office) -> None:
    fatima = works_here(office, "Fatima El Amrani", "fatima@voorbeeld.example")
    place = office.world.place
    at_the_desk = Correspondent("Balie", fatima.address, fatima.fingerprint)
    office.world.place = replace(
        place, promise=replace(place.promise, triage=(*place.promise.triage, at_the_desk))
    )
    try:
        office.arrives(
            office.writes(fatima, "Ik, Fatima El Amrani van de Balie: fatima@voorbeeld.example", name="")
        )
        office.hands_in("Collega Amrani weet meer.")
    finally:
        office.world.place = place

    assert office.said() == ["Ik, […] van de […]: […]", "Collega […] weet meer."]


def works_here(office: Office, name: str, address: str) -> Person:
    """Somebody with a key of their own, which the desk knows."""
    with Keyring(office.second.home) as keyring:
        person = Person(name, address, office.second.home, keyring.make_key(name, address))
        office.world.place.keyring.import_public(keyring.export_public(person.fingerprint))
    return person


@pytest.mark.parametrize("text", AT_OURS)
def test_no_address_of_the_organisation_is_passed_on(office: Office, text: str) -> None:
    office.hands_in(text)

    assert office.said() == ["Mail […] voor de logs."]


def test_what_tells_nobody_who_writes_stays(office: Office) -> None:
    text = "Zie https://www.voorbeeld.example/zoeken of mail cvd@voorbeeld.example, zegt Gemeente Voorbeeld."

    office.hands_in(text, name="Gemeente Voorbeeld (team)")

    assert office.said() == [text]


def test_the_reporter_is_greeted_by_their_own_name_though_a_colleague_has_it_too(office: Office) -> None:
    reporter = office.world.people.reporter
    text = f"Beste Sanne,\n\nSanne de Vries mailde van {reporter.address}. Sanne Bakker kijkt ernaar."

    office.hands_in(text, name="Sanne Bakker")

    (said,) = office.said()
    assert said == f"Beste Sanne,\n\nSanne de Vries mailde van {reporter.address}. […] kijkt ernaar."


def test_a_reporter_at_the_organisation_reads_their_own_address(office: Office) -> None:
    with office.world.place.database.unit_of_work() as session:
        ticket_called(session, office.reference).reporter.address = "piet@voorbeeld.example"

    office.arrives(
        office.writes(office.hanna, "Wij mailen piet@voorbeeld.example, niet jan@voorbeeld.example.")
    )

    assert office.said() == ["Wij mailen piet@voorbeeld.example, niet […]."]


def test_two_mails_of_one_second_are_two(office: Office) -> None:
    outbox = [office.writes(office.hanna, text) for text in ("accept", "severity high")]

    for mail in outbox:
        office.arrives(mail)
        assert office.last_message().doubt is None
    office.arrives(outbox[0].replace(b"Message-ID: <", b"Message-ID: <again-"))

    assert office.last_message().doubt == "signed_before"
    assert (office.ticket().state, office.ticket().severity) == (TicketState.ACCEPTED, "high")


def test_what_was_signed_counts_once_however_it_is_wrapped(office: Office) -> None:
    text = "message: één keer is genoeg\n"
    block = gpg(
        office.hanna.home,
        *("--armor", "--local-user", office.hanna.fingerprint, "--clearsign"),
        feed=text.encode(),
        at=office.world.present(),
    )
    recipient = office.world.people.desk.fingerprint
    sealed = gpg(office.hanna.home, "--armor", "--recipient", recipient, "--encrypt", feed=block)
    blanks = block.replace(b"genoeg", b"genoeg  ")

    office.arrives(in_line(office, block, "8bit"))
    assert office.said() == ["één keer is genoeg"]
    for octets in (block, blanks, block.replace(b"\n", b"\r\n"), sealed):
        office.arrives(in_line(office, octets, "base64"))
        assert office.last_message().doubt == "signed_before"
    office.arrives(in_line(office, block, "base64", charset="iso-8859-1"))

    assert office.last_message().doubt == "signed_before"
    assert len(office.said()) == 1


def test_two_signed_mails_of_one_second_are_not_put_together_anew(office: Office) -> None:
    blocks = [office.signs(office.hanna, text) for text in (b"accept\n", b"severity high\n")]
    for block in blocks:
        office.arrives(in_line(office, block, "8bit"))
    office.hands_in("hold: wij wachten")

    office.arrives(in_line(office, b"\n".join(blocks), "8bit"))

    assert office.last_message().doubt == "signed_before"
    assert office.ticket().state is TicketState.DEFERRED


def in_line(office: Office, octets: bytes, encoding: str, *, charset: str = "utf-8") -> bytes:
    """A mail with armour in its text."""
    body = base64.encodebytes(octets) if encoding == "base64" else octets
    return (
        f"From: <{office.hanna.address}>\r\nTo: {office.token()}\r\nSubject: Re\r\n"
        f"Message-ID: <{next(office.numbers)}@inline.example>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + body


def test_a_value_that_cannot_be_read_is_named_in_both_languages(office: Office) -> None:
    told = office.hands_in("severity CVSS:3.1/AV:N/AC:L")

    said = words(told)
    dutch, _, english = said.partition("You sent a mail on ticket")
    assert "De reden: een waarde in uw opdracht is niet te lezen." in dutch
    assert "De CVSS-vector 'CVSS:3.1/AV:N/AC:L' is niet te lezen: geef de hele vector" in dutch
    assert "cannot be read" not in dutch
    assert "The reason: a value in your command cannot be read." in english
    assert "dat kan op dit ticket nu niet" not in said
    assert office.ticket().severity is None


def test_what_was_understood_is_told_in_plain_words(office: Office) -> None:
    told = words(
        office.hands_in("no date: de leverancier zwijgt\n\nWij vragen het na.", office.owner, name="Webteam")
    )
    assert "antwoord de melder, met de reden waarom er nog geen datum is" in told
    assert "answer the reporter, with the reason why there is no date yet" in told
    told = words(office.hands_in("Wij kijken ernaar."))
    assert "stuur uw tekst naar de melder" in told
    told = words(office.hands_in("intern: hij belt"))
    assert "bewaar uw tekst bij het ticket; de melder krijgt hem niet" in told

"""``meldbalie show NUMBER``: one ticket with its report, decrypted, on this terminal only."""

import argparse
import sys

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...mailbox.quoting import folded
from ...models.errors import UnknownTicket
from ...models.outbox import Mail
from ...models.rating import rating_of
from ...models.severity import UNRATED
from ...models.states import STATE_LABELS
from ...models.suggestions import main_ticket, open_suggestions, tickets_joined_with
from ...models.ticket import Message, Ticket, first_broken_link, ticket_called
from ..card import WHYS
from ..desk import answered, local, response_clock
from ..history_words import told
from ..installation import Records, records
from ..speaking_of_messages import note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("number", help="such as CVD-2026-0042")
    parser.add_argument("--whole", action="store_true", help="with what further messages quote")


def run(args: argparse.Namespace) -> int:
    """Print the ticket; 1 when there is none of that number."""
    place = records()
    try:
        print("\n".join(lines(place, args.number, whole=args.whole)))
    except UnknownTicket as unknown:
        print(unknown, file=sys.stderr)
        return 1
    return 0


def lines(place: Records, number: str, *, whole: bool = False) -> list[str]:
    """Everything there is about a ticket, for a terminal; quotes are folded unless ``whole``."""
    with place.database.reading() as session:
        ticket = ticket_called(session, number)
        mails = session.scalars(select(Mail).where(Mail.ticket_id == ticket.id).order_by(Mail.id))
        return [
            *_head(place, ticket),
            *_reporter(ticket),
            *_neighbours(session, ticket),
            "",
            *(
                line
                for message in _messages(session, ticket)
                for line in _said(place, message, ticket, whole)
            ),
            "Mails",
            *(
                f"  {mail.kind} to {printable(mail.recipient)}: {mail.state} {mail.problem or ''}".rstrip()
                for mail in mails
            ),
            "History"
            + ("" if first_broken_link(ticket) is None else ": THE CHAIN IS BROKEN, it was altered"),
            *(
                f"  {local(place, entry.at)}  {told(place, entry)} {entry.because}".rstrip()
                for entry in ticket.history
            ),
        ]


def _head(place: Records, ticket: Ticket) -> list[str]:
    clock = response_clock(ticket)
    return [
        f"{ticket.reference}: {STATE_LABELS[ticket.state][1]}, {ticket.tlp}",
        f"  received {local(place, ticket.arrived_at)}, due {local(place, clock.due_at)},"
        f" {answered(place, ticket) or 'not answered yet'}",
        f"  owner {ticket.owner_name}: {printable(ticket.routed_because)}",
        f"  severity {rating_of(ticket) or UNRATED}",
        f"  came {'encrypted' if ticket.was_encrypted else 'in the clear'}, signature {ticket.signature}",
    ]


def _reporter(ticket: Ticket) -> list[str]:
    who = ticket.reporter
    if not who.address:
        return ["  reporter: anonymous"]
    return [
        f"  reporter: {printable(who.name or '')} <{printable(who.address)}>, key {who.fingerprint or 'none'}"
    ]


def _neighbours(session: Session, ticket: Ticket) -> list[str]:
    """The tickets that this one belongs to, may belong to, or took in."""
    main, linked = main_ticket(session, ticket), session.get(Ticket, ticket.linked_to or 0)
    suggested = open_suggestions(session, ticket)
    return [
        *([f"  joined with {main.reference}"] if main is not ticket else []),
        *([f"  linked to {linked.reference}"] if linked is not None and linked is not main else []),
        *(f"  may belong to {one.other.reference}: {WHYS[one.why]}" for one in suggested),
        *(f"  took in {one.reference}" for one in tickets_joined_with(session, ticket)),
    ]


def _messages(session: Session, ticket: Ticket) -> list[Message]:
    """What was said on a ticket and on those joined with it, in the order of time."""
    tickets = (ticket, *tickets_joined_with(session, ticket))
    return sorted((message for one in tickets for message in one.messages), key=lambda one: one.at)


def _said(place: Records, message: Message, shown: Ticket, whole: bool) -> list[str]:
    came_on, text = message.ticket, message.text
    if not whole and message is not came_on.report:
        text = folded(text, lambda lines: note(lines, shown.reference))
    direction = message.direction.value.replace("_", " ")
    return [
        f"{local(place, message.at)}  {direction}: {printable(message.subject)}"
        + (f" (on {came_on.reference})" if came_on is not shown else "")
        + (f" ({message.doubt.replace('_', ' ')})" if message.doubt else ""),
        *(f"  | {printable(line)}" for line in text.splitlines()),
        *(
            f"  [{printable(file.name)}: {file.type}, {file.size} bytes, sha256 {file.sha256}]"
            for file in message.attachments
        ),
        "",
    ]


def printable(text: str) -> str:
    """A stranger's text, unable to steer the terminal that shows it."""
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in text)

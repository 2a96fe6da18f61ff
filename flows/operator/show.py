"""``meldbalie show NUMBER``: one ticket with its report, decrypted, on this terminal only."""

import argparse
import sys

from sqlalchemy import select

from ...models.errors import UnknownTicket
from ...models.outbox import Mail
from ...models.states import STATE_LABELS
from ...models.ticket import Message, Ticket, first_broken_link, ticket_called
from ..desk import local, response_clock
from ..installation import Records, records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("number", help="such as CVD-2026-0042")


def run(args: argparse.Namespace) -> int:
    """Print the ticket; 1 when there is none of that number."""
    place = records()
    try:
        print("\n".join(lines(place, args.number)))
    except UnknownTicket as unknown:
        print(unknown, file=sys.stderr)
        return 1
    return 0


def lines(place: Records, number: str) -> list[str]:
    """Everything there is about a ticket, for a terminal."""
    with place.database.reading() as session:
        ticket = ticket_called(session, number)
        mails = session.scalars(select(Mail).where(Mail.ticket_id == ticket.id).order_by(Mail.id))
        return [
            *_head(place, ticket),
            *_reporter(ticket),
            "",
            *(line for message in ticket.messages for line in _said(place, message)),
            "Mails",
            *(
                f"  {mail.kind} to {printable(mail.recipient)}: {mail.state} {mail.problem or ''}"
                for mail in mails
            ),
            "History"
            + ("" if first_broken_link(ticket) is None else ": THE CHAIN IS BROKEN, it was altered"),
            *(
                f"  {local(place, entry.at)}  {entry.kind} by {entry.actor} {entry.because}"
                for entry in ticket.history
            ),
        ]


def _head(place: Records, ticket: Ticket) -> list[str]:
    clock = response_clock(ticket)
    answered = f"answered {local(place, clock.stopped_at)}" if clock.stopped_at else "not answered yet"
    return [
        f"{ticket.reference}: {STATE_LABELS[ticket.state][1]}, {ticket.tlp}",
        f"  received {local(place, ticket.arrived_at)}, due {local(place, clock.due_at)}, {answered}",
        f"  owner {ticket.owner_name}: {printable(ticket.routed_because)}",
        f"  came {'encrypted' if ticket.was_encrypted else 'in the clear'}, signature {ticket.signature}",
    ]


def _reporter(ticket: Ticket) -> list[str]:
    who = ticket.reporter
    if not who.address:
        return ["  reporter: anonymous"]
    return [
        f"  reporter: {printable(who.name or '')} <{printable(who.address)}>, key {who.fingerprint or 'none'}"
    ]


def _said(place: Records, message: Message) -> list[str]:
    direction = message.direction.value.replace("_", " ")
    return [
        f"{local(place, message.at)}  {direction}: {printable(message.subject)}",
        *(f"  | {printable(line)}" for line in message.text.splitlines()),
        *(
            f"  [{printable(file.name)}: {file.type}, {file.size} bytes, sha256 {file.sha256}]"
            for file in message.attachments
        ),
        "",
    ]


def printable(text: str) -> str:
    """A stranger's text, unable to steer the terminal that shows it."""
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in text)

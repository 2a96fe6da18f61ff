"""``meldbalie tickets``: the tickets, the one that is due first on top."""

import argparse

from sqlalchemy import select

from ...models.severity import UNRATED
from ...models.states import STATE_LABELS, TicketState
from ...models.ticket import Ticket
from ..desk import answered, local, response_clock
from ..installation import Records, records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--all", action="store_true", help="closed tickets as well")


def run(args: argparse.Namespace) -> int:
    """Print a line for each ticket: number, state, severity, owner, when the answer is due or was given."""
    place = records()
    for line in lines(place, closed_too=args.all):
        print(line)
    return 0


def lines(place: Records, *, closed_too: bool) -> list[str]:
    """The tickets, a line each."""
    with place.database.reading() as session:
        wanted = select(Ticket) if closed_too else select(Ticket).where(Ticket.state != TicketState.CLOSED)
        tickets = sorted(session.scalars(wanted), key=lambda ticket: response_clock(ticket).due_at)
        return [_line(place, ticket) for ticket in tickets] or ["no tickets"]


def _line(place: Records, ticket: Ticket) -> str:
    clock = response_clock(ticket)
    return (
        f"{ticket.reference}  {STATE_LABELS[ticket.state][1]:<14}"
        f"  {ticket.severity or UNRATED:<8}"
        f"  {ticket.owner_name:<24}"
        f"  due {local(place, clock.due_at)}  {answered(place, ticket) or 'not answered'}"
    )

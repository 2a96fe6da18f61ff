"""``meldbalie outbox``: the mails that have not left, and why; ``--retry`` sends one again."""

import argparse
import sys

from sqlalchemy import select

from ...models.delivery import try_again
from ...models.errors import Refused
from ...models.outbox import Mail, MailState
from ..desk import local
from ..installation import Records, records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--retry", type=int, metavar="MAIL", help="send this parked or held mail again")


def run(args: argparse.Namespace) -> int:
    """List what has not left, or send one mail again; 1 when that mail cannot be."""
    place = records()
    if args.retry is None:
        print("\n".join(lines(place)))
        return 0
    try:
        with place.database.unit_of_work() as session:
            try_again(session, args.retry, now=place.clock())
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(f"mail {args.retry} waits to be sent")
    return 0


def lines(place: Records) -> list[str]:
    """The mails that have not left, a line each; recipients by their part in it, never by address."""
    with place.database.reading() as session:
        mails = session.scalars(select(Mail).where(Mail.state != MailState.SENT).order_by(Mail.id))
        return [_line(place, mail) for mail in mails] or ["every mail has left"]


def _line(place: Records, mail: Mail) -> str:
    about = mail.ticket.reference if mail.ticket else "intake"
    return (
        f"{mail.id:>6}  {about:<14}  {mail.kind.value:<14} to {mail.party:<9}"
        f" {mail.state.value:<8} since {local(place, mail.created_at)}  {mail.problem or ''}".rstrip()
    )

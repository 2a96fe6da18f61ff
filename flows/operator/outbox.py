"""``meldbalie outbox``: the mails that have not left, and why; ``--retry`` sends some again."""

import argparse
import sys

from sqlalchemy import select

from ...models.delivery import parked, try_again
from ...models.errors import Refused
from ...models.outbox import Mail, MailState
from ..desk import local
from ..installation import Records, records

OVER = (MailState.SENT, MailState.CALLED_OFF)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--retry",
        metavar="WHICH",
        help="send again: the number of a parked or held mail, `all` that are parked, or the reason"
        " that stands behind them, such as `undeliverable`",
    )


def run(args: argparse.Namespace) -> int:
    """List what has not left, or send mails again; 1 when there is none that can be."""
    place = records()
    if args.retry is None:
        print("\n".join(lines(place)))
        return 0
    try:
        numbers = _again(place, args.retry)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(f"{_in_words(numbers)} to be sent")
    return 0


def _again(place: Records, which: str) -> list[int]:
    """Let the mails leave that are meant; raises :class:`Refused` when there are none."""
    with place.database.reading() as session:
        numbers = [int(which)] if which.isdecimal() else parked(session, None if which == "all" else which)
    if not numbers:
        reason = "" if which == "all" else f" for the reason {which!r}"
        raise Refused(f"no mail is parked{reason}; `meldbalie outbox` lists those that have not left")
    for number in numbers:
        with place.database.unit_of_work() as session:
            try_again(session, number, now=place.clock())
    return numbers


def _in_words(numbers: list[int]) -> str:
    return f"mail {numbers[0]} waits" if len(numbers) == 1 else f"{len(numbers)} mails wait"


def lines(place: Records) -> list[str]:
    """The mails that have not left, a line each; recipients by their part in it, never by address."""
    with place.database.reading() as session:
        mails = session.scalars(select(Mail).where(Mail.state.not_in(OVER)).order_by(Mail.id))
        return [_line(place, mail) for mail in mails] or ["every mail has left"]


def _line(place: Records, mail: Mail) -> str:
    about = mail.ticket.reference if mail.ticket else "intake"
    opens = mail.not_before
    leaves = f"  leaves {local(place, opens)}" if opens and opens > place.clock() else ""
    return (
        f"{mail.id:>6}  {about:<14}  {mail.kind.value:<14} to {mail.party:<9}"
        f" {mail.state.value:<8} since {local(place, mail.created_at)}{leaves}  {mail.problem or ''}".rstrip()
    )

"""``meldbalie audit``: mailbox, ledger, tickets and outbox are compared, and each difference is printed."""

import argparse

from sqlalchemy import func, select

from ...mailbox.wording import alarm_in_words
from ...models.alarms import NOTICES, Look
from ...models.auditing import tally
from ...models.outbox import Mail, MailState
from ...models.quarantine import in_quarantine
from ..audit import compare, wrong_in
from ..installation import Installation, Records, installation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--whole", action="store_true", help="look at every message and every history, not at a slice"
    )
    parser.add_argument(
        "--take-in", action="store_true", help="take in all that the ledger lacks, however much it is"
    )


def run(args: argparse.Namespace) -> int:
    """Print what was counted and what differs; 1 when anything does."""
    place = installation()
    looks = compare(place, whole=args.whole, takes_all=args.take_in)
    print("\n".join([*_counted(place), *_waits_for_a_human(place, looks), *_differences(looks)]))
    return 1 if wrong_in(looks) else 0


def _counted(place: Installation) -> list[str]:
    with place.database.reading() as session:
        counted = tally(session)
    return [f"{name.replace('_', ' '):<20}{number:>8}" for name, number in counted.items()]


def _waits_for_a_human(place: Records, looks: list[Look]) -> list[str]:
    with place.database.reading() as session:
        stopped = select(func.count(Mail.id)).where(Mail.state.in_((MailState.PARKED, MailState.HELD)))
        waiting = {
            "messages in quarantine (meldbalie quarantine)": len(in_quarantine(session)),
            "mails parked or held (meldbalie outbox)": session.scalar(stopped) or 0,
        }
    notices = [
        f"look: {alarm_in_words(look.kind)[0]}" for look in looks if look.wrong and look.kind in NOTICES
    ]
    return [f"waits for a human: {number} {what}" for what, number in waiting.items() if number] + notices


def _differences(looks: list[Look]) -> list[str]:
    wrong = wrong_in(looks)
    if not wrong:
        return ["nothing differs"]
    return [line for look in wrong for line in _difference(look)]


def _difference(look: Look) -> list[str]:
    what, way_out = alarm_in_words(look.kind)
    about = sorted(look.wrong, key=lambda number: (len(number), number))
    return [*(f"differs: {look.kind.value} {number}: {what}" for number in about), f"  -> {way_out}"]

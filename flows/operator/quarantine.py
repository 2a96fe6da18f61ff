"""``meldbalie quarantine``: what could not be opened and why; judged again, looked at, or let go.

Nothing here shows a word of a message: who needs its bytes has them written to a file.
"""

import argparse
import os
import sys
from pathlib import Path

from sqlalchemy import func, select

from ...mailbox.wording import explained
from ...models.errors import Refused
from ...models.ledger import LedgerEntry, Verdict
from ...models.quarantine import (
    dismiss,
    dismissal_of,
    in_quarantine,
    judge_again,
)
from ..desk import local
from ..filing import file_entry, note_failure
from ..installation import Installation, Records, installation, records
from .show import printable

MEANT = "its number, as `meldbalie quarantine` lists it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands; without one the quarantine is listed."""
    parser.set_defaults(act=_list, dismissed=False)
    parser.add_argument("--dismissed", action="store_true", help="list those that were dismissed instead")
    acts = parser.add_subparsers(metavar="ACT")
    retry = acts.add_parser("retry", help="have messages judged again, now")
    retry.add_argument("numbers", nargs="+", metavar="NUMBER", help=f"{MEANT}, or all")
    retry.set_defaults(act=_retry)
    show = acts.add_parser("show", help="tell the facts about one message, without its words")
    show.add_argument("number", type=int, help=MEANT)
    show.add_argument("--raw", type=Path, metavar="FILE", help="write the message into this new file")
    show.set_defaults(act=_show)
    dismissing = acts.add_parser("dismiss", help="take a message off the list; it stays in the ledger")
    dismissing.add_argument("number", type=int, help=MEANT)
    dismissing.add_argument("--because", required=True, metavar="REASON", help="why nothing is needed")
    dismissing.add_argument("--by", required=True, metavar="NAME", help="who says so")
    dismissing.set_defaults(act=_dismiss)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 when a message was refused, or stays in quarantine."""
    try:
        return args.act(args)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _list(args: argparse.Namespace) -> int:
    print("\n".join(lines(records(), dismissed=args.dismissed)))
    return 0


def lines(place: Records, *, dismissed: bool = False) -> list[str]:
    """The messages in quarantine: number, arrival, size and tries, then why and what to do."""
    with place.database.reading() as session:
        found = in_quarantine(session, dismissed=dismissed)
        return [line for entry in found for line in _listed(place, entry)] or ["the quarantine is empty"]


def _listed(place: Records, entry: LedgerEntry) -> list[str]:
    why, way_out = explained(entry.problem or "")
    tries = "1 try" if entry.tries == 1 else f"{entry.tries} tries"
    return [
        f"{entry.id:>6}  {local(place, entry.arrived_at)}  {entry.size:>10} bytes  {tries}  {why.en}",
        f"        {way_out.en}",
    ]


def _retry(args: argparse.Namespace) -> int:
    place = installation()
    stay = 0
    for number in _meant(place, args.numbers):
        try:
            was_opened, told = retry(place, number)
        except Refused as refusal:
            was_opened, told = False, str(refusal)
        print(told, file=sys.stdout if was_opened else sys.stderr)
        stay += not was_opened
    return 1 if stay else 0


def _meant(place: Records, words: list[str]) -> list[int]:
    if words == ["all"]:
        with place.database.reading() as session:
            return [entry.id for entry in in_quarantine(session)]
    if not all(word.isdecimal() for word in words):
        raise Refused(f"{' '.join(words)}: give numbers, or the single word all")
    return [int(word) for word in words]


def retry(place: Installation, number: int) -> tuple[bool, str]:
    """Judge a message again as intake does; gives whether it left the quarantine, and what to tell.

    The clocks of its ticket count from its first arrival.
    """
    with place.database.unit_of_work() as session:
        number = judge_again(session, number)
    try:
        verdict, reference = file_entry(place, number)
    except Exception as error:
        note_failure(place, number, error)
        return False, f"message {number}: {_why(place, number)}; it is tried again by itself"
    if verdict is Verdict.QUARANTINED:
        return False, f"message {number} stays in quarantine: {_why(place, number)}"
    return True, f"message {number}: {verdict.value}" + (f" {reference}" if reference else "")


def _why(place: Records, number: int) -> str:
    with place.database.reading() as session:
        why, way_out = explained(session.get_one(LedgerEntry, number).problem or "")
    return f"{why.en} ({way_out.en})"


def _show(args: argparse.Namespace) -> int:
    place = records()
    with place.database.reading() as session:
        entry = session.get(LedgerEntry, args.number)
        if entry is None:
            raise Refused(f"the ledger has no message {args.number}")
        copies = select(func.count(LedgerEntry.id)).where(LedgerEntry.same_as == entry.id)
        why, way_out = explained(entry.problem or "")
        gone = dismissal_of(session, entry)
        told = [
            f"message {entry.id}: {entry.verdict.value if entry.verdict else 'waits to be judged'}",
            f"  arrived {local(place, entry.arrived_at)}, taken in {local(place, entry.taken_at)}",
            f"  {entry.size} bytes, sha256 {entry.digest}",
            f"  came {1 + (session.scalar(copies) or 0)} times, tried {entry.tries} times",
            f"  lay in {printable(entry.mailbox)}, UIDVALIDITY {entry.uidvalidity}, UID {entry.uid}",
        ]
        if entry.verdict is Verdict.QUARANTINED:
            told += [f"  {why.en}", f"  {way_out.en}"]
        if gone:
            told.append(
                f"  dismissed {local(place, gone.at)} by {printable(gone.by)}: {printable(gone.because)}"
            )
        print("\n".join(told))
        if args.raw:
            _write(args.raw, entry.raw)
    return 0


def _write(file: Path, raw: bytes) -> None:
    """Write a message as it arrived, for its owner's eyes only, and never over something else."""
    try:
        with open(file, "xb", opener=_for_ourselves) as written:
            written.write(raw)
    except OSError as error:
        raise Refused(f"{file} cannot be written ({error.strerror}): name a file that is not there") from None
    print(f"{file}: {len(raw)} bytes as they arrived; open them only where nothing can be harmed")


def _for_ourselves(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _dismiss(args: argparse.Namespace) -> int:
    place = records()
    with place.database.unit_of_work() as session:
        number = dismiss(session, args.number, by=args.by, because=args.because, now=place.clock())
    print(f"message {number} was dismissed; it stays in the ledger and in the mailbox")
    return 0

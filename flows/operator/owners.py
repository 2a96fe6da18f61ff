"""``meldbalie owners``: the owner directory, taken whole or not at all, and who of them is away."""

import argparse
import sys
from datetime import date

from sqlalchemy import select

from ...models.absences import Absence, absences_ahead, come_back, go_away
from ...models.errors import Refused
from ...models.owner_commands import add_owner_arguments, run_owner_import
from ...models.owners import Owner
from ..installation import Records, records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verbs = parser.add_subparsers(metavar="VERB", required=True, dest="verb")
    add_owner_arguments(verbs.add_parser("import", help="replace the imported owners by a CSV file"))
    verbs.add_parser("list", help="list the owners, and who stands in for those who are away")
    away = verbs.add_parser("away", help="let somebody else hear what an owner would for some days")
    away.add_argument("name", help="the owner, as the directory names them")
    away.add_argument("--from", dest="first", type=_day, required=True, metavar="DAY", help="2026-12-21")
    away.add_argument("--until", dest="last", type=_day, required=True, metavar="DAY", help="the last day")
    away.add_argument("--deputy", metavar="NAME", help="another owner; without one the handlers stand in")
    back = verbs.add_parser("back", help="end the absence of an owner, or call off the next one")
    back.add_argument("name", help="the owner, as the directory names them")


def run(args: argparse.Namespace) -> int:
    """Do what is asked; 1 when it cannot be done, and then nothing has changed."""
    place = records()
    today = place.promise.local_day(place.clock())
    if args.verb == "import":
        return run_owner_import(args, place.database, today)
    try:
        print("\n".join(_do(place, args, today)))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _do(place: Records, args: argparse.Namespace, today: date) -> list[str]:
    if args.verb == "list":
        return lines(place, today)
    with place.database.unit_of_work() as session:
        if args.verb == "away":
            absence = go_away(
                session, args.name, first_day=args.first, last_day=args.last, deputy=args.deputy
            )
            return [f"{absence.owner.name}{_in_words(absence)}"]
        ended = come_back(session, args.name, today=today)
    if ended is None:
        raise Refused(f"{args.name} is not away, and no absence is to come: nothing was changed")
    return [f"{args.name} hears everything again; the absence from {ended.first_day} is over"]


def lines(place: Records, today: date) -> list[str]:
    """A line for each owner, with the absences that are not over."""
    with place.database.reading() as session:
        away: dict[int, list[str]] = {}
        for absence in absences_ahead(session, today):
            away.setdefault(absence.owner_id, []).append(_in_words(absence))
        owners = session.scalars(select(Owner).order_by(Owner.name))
        found = [f"{owner.name} <{owner.address}>" + "".join(away.get(owner.id, ())) for owner in owners]
    return found or ["there are no owners yet: meldbalie owners import FILE.csv"]


def _in_words(absence: Absence) -> str:
    stand_in = absence.deputy.name if absence.deputy else "the handlers"
    return f", away {absence.first_day} until {absence.last_day}: {stand_in} hears instead"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it as 2026-12-21") from None

"""``meldbalie report``: how the promise was kept, as a table, CSV or JSON; aggregates only.

With ``--publish`` it puts a year anew on the page for everybody.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from ...models.errors import Refused
from ...models.kept import Kept, Period
from ..installation import records
from ..report import COLUMNS, LEGEND, figures, kept_in, publish_anew

FIRST_YEAR, LAST_YEAR = 1970, 9998
WIDTH = max(map(len, COLUMNS.values())) + 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("--from", dest="first", metavar="DAY", type=_day, help="the first day (1 January of the last day)")
    add("--until", dest="last", metavar="DAY", type=_day, help="the last day, included (today)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument(
        "--csv", action="store_true", help="a line for the whole, the months, owners and severities"
    )
    form.add_argument(
        "--publish", type=int, metavar="YEAR", help="publish a year anew on /promise, after an error in it"
    )


def run(args: argparse.Namespace) -> int:
    """Print the report, or publish a year anew."""
    if args.publish is not None:
        publish_anew(records(), args.publish)
        print(f"published: {args.publish}, as it is counted now")
        return 0
    if args.first and args.last and args.last < args.first:
        raise Refused(f"--until {args.last} lies before --from {args.first}: give them the other way round")
    kept = kept_in(records(), args.first, args.last)
    if args.json:
        print(json.dumps(as_mapping(kept), indent=2, ensure_ascii=False))
    elif args.csv:
        write_csv(kept)
    else:
        for line in lines(kept):
            print(line)
    return 0


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError
    return day


_day.__name__ = "day (as 2026-11-21)"  # argparse names it where a value cannot be read


def as_mapping(kept: Period) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "from": str(kept.first),
        "until": str(kept.last),
        "made_at": kept.made_at.isoformat(),
        "whole": _mapping(kept.whole),
        **{f"by_{by}": [_mapping(each) for each in groups] for by, groups in _parts(kept).items()},
        "open_by_age": dict(kept.open_by_age),
    }


def _mapping(kept: Kept) -> dict[str, Any]:
    return asdict(kept) | {"share_in_time": _share(kept)}


def _parts(kept: Period) -> dict[str, tuple[Kept, ...]]:
    return {"month": kept.by_month, "owner": kept.by_owner, "severity": kept.by_severity}


def _share(kept: Kept) -> float | None:
    return None if kept.share_in_time is None else round(kept.share_in_time, 4)


def write_csv(kept: Period) -> None:
    """The report as a spreadsheet takes it; a name that it would run as a formula gets a quote in front."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["by", *(field.name for field in fields(Kept)), "share_in_time"])
    groups = {"all": (kept.whole,), **_parts(kept)}
    for by, members in groups.items():
        for member in members:
            name, *figures = _mapping(member).values()
            safe = f"'{name}" if name[:1] in "=+-@\t" else name
            out.writerow([by, safe, *figures])


def lines(kept: Period) -> Iterator[str]:
    """The report on a terminal."""
    yield f"{kept.first} to {kept.last}"
    for name, cell in figures(kept.whole).items():
        yield f"  {name:<28}{cell:>8}"
    for by, groups in _parts(kept).items():
        yield f"{f'by {by}':<26}" + "".join(f"{column:>{WIDTH}}" for column in COLUMNS.values())
        for group in groups:
            found = figures(group)
            yield f"  {group.group:<24}" + "".join(f"{found[name]:>{WIDTH}}" for name in COLUMNS)
    yield "open now"
    yield from (f"  {age:<28}{number:>8}" for age, number in kept.open_by_age)
    yield from LEGEND

"""``meldbalie calendar``: the calendar that clocks count by, its versions, and our own closed days."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...models.calendar_versions import CalendarVersion, changes, latest_version, make_version, proposed
from ...models.closed_days import named_closed_days
from ...models.own_days import OwnDaysRefused, read_own_days
from ...models.rewinding import would_move
from ..calendars import line_of, wind_anew
from ..desk import local
from ..installation import Records, records, working_time

VERSIONS_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(verb="show")
    verbs = parser.add_subparsers(metavar="VERB")
    giving = verbs.add_parser("export", help="print it as TOML, as `meldbalie due --calendar FILE` reads it")
    giving.set_defaults(verb="export")
    giving.add_argument("--version", type=int, metavar="N", help="an earlier version; the last one otherwise")
    taking = verbs.add_parser("import", help="replace the organisation's own closed days by a CSV file")
    taking.set_defaults(verb="import")
    taking.add_argument("file", type=Path, help="a CSV file in UTF-8 with the columns date and name")
    taking.add_argument("--by", metavar="NAME", help="who says so, for the list of versions")
    taking.add_argument(
        "--preview", action="store_true", help="say which tickets would move, and change nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Show the calendar, or take a file; 1 when it cannot be taken, and then nothing has changed."""
    place = records()
    if args.verb == "show":
        for line in calendar_in_words(place):
            print(line)
        return 0
    if args.verb == "export":
        return _export(place, args.version)
    if not args.preview and not (args.by or "").strip():
        print("say who changes the calendar: --by NAME, or give --preview", file=sys.stderr)
        return 2
    try:
        days = read_own_days(args.file.read_bytes())
    except OSError as error:
        print(f"{args.file} cannot be read ({error.strerror}): give a CSV file", file=sys.stderr)
        return 1
    except OwnDaysRefused as refused:
        print(f"{args.file} cannot be taken; nothing was changed:\n{refused}", file=sys.stderr)
        return 1
    return _preview(place, days) if args.preview else _take(place, days, args.by.strip())


def _export(place: Records, number: int | None) -> int:
    with place.database.reading() as session:
        version = session.get(CalendarVersion, number) if number else latest_version(session)
        if number and version is None:
            print(f"there is no version {number}: `meldbalie calendar` lists them", file=sys.stderr)
            return 1
        print("\n".join(as_toml(version.content if version else working_time(place.config))))
    return 0


def as_toml(content: Mapping[str, Any]) -> Iterator[str]:
    """A calendar in the form that `meldbalie due` reads."""
    yield f"zone = {json.dumps(content['zone'])}"
    yield f"closed = {json.dumps(content.get('closed', []))}"
    if rules := content.get("holidays"):
        yield f"holidays = {{ {', '.join(f'{name} = {json.dumps(rule)}' for name, rule in rules.items())} }}"
    yield "[hours]"
    yield from (f"{day} = {json.dumps(spans)}" for day, spans in content["hours"].items())


def _take(place: Records, days: dict[str, str], by: str) -> int:
    with place.database.unit_of_work() as session:
        before = latest_version(session)
        settings, now = working_time(place.config), place.clock()
        made = make_version(session, settings, place.promise, own_days=days, by=by, now=now)
        changed = list(changes(before, made)) if made else []
    if made is None:
        print("the calendar says already what the file says: nothing changes")
    else:
        print(f"version {made.id} was made")
    for line in changed:
        print(f"  {line}")
    moved: list[str] = []
    failed = wind_anew(place, lambda line: (moved.append(line), print(line)))
    print(f"clocks of open tickets that moved: {len(moved)}")
    for line in failed:
        print(f"not wound yet, the next sweep tries again: {line}", file=sys.stderr)
    return 1 if failed else 0


def _preview(place: Records, days: dict[str, str]) -> int:
    with place.database.reading() as session:
        last = latest_version(session)
        content, own_days = proposed(last, working_time(place.config), place.promise, days)
        wanted = CalendarVersion(content=content, own_days=own_days)
        for line in changes(last, wanted):
            print(f"  {line}")
        moves = 0
        for moved in would_move(session, content):
            moves += 1
            print(line_of(place, moved))
    print(f"clocks of open tickets that would move: {moves}; nothing was changed")
    return 0


def calendar_in_words(place: Records) -> Iterator[str]:
    """The calendar that holds now, and the versions that it had, the latest first."""
    with place.database.reading() as session:
        version = latest_version(session)
        content = version.content if version else working_time(place.config)
        yield f"zone      {content['zone']}"
        for day, spans in content["hours"].items():
            yield f"{day:<10}{', '.join('-'.join(span) for span in spans) or 'closed'}"
        this_year = place.promise.local_day(place.clock()).year
        for year in (this_year, this_year + 1):
            for day, name in _holidays(content, year):
                yield f"holiday   {day:%a %d %b %Y}  {name}"
        for day, name in sorted(version.own_days.items() if version else ()):
            yield f"own day   {date.fromisoformat(day):%a %d %b %Y}  {name}"
        if version is None:
            yield "no version yet: the next sweep makes the first one"
        elif proposed(version, working_time(place.config), place.promise, None)[0] != version.content:
            yield "the settings have changed: the next sweep makes a version"
        yield from _versions(place, session)


def _holidays(content: dict[str, Any], year: int) -> list[tuple[date, str]]:
    rules = content.get("holidays")
    return named_closed_days(year, rules["good_friday"], rules["liberation_day"]) if rules else []


def _versions(place: Records, session: Session) -> Iterator[str]:
    latest = select(CalendarVersion).order_by(CalendarVersion.id.desc()).limit(VERSIONS_SHOWN + 1)
    versions = list(session.scalars(latest))
    for position, version in enumerate(versions[:VERSIONS_SHOWN]):
        before = versions[position + 1] if position + 1 < len(versions) else None
        made = f"{local(place, version.made_at)} {place.promise.local_day(version.made_at).year}"
        yield f"version {version.id}  {made} by {version.made_by}"
        for line in changes(before, version):
            yield f"  {line}"
    if len(versions) > VERSIONS_SHOWN:
        yield "earlier versions stand in the database"

"""The commands about owners: import the directory, and ask who answers for a target."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from .owner_file import COLUMNS, REQUIRED, OwnerFileRefused
from .owner_import import ImportReport, import_owners
from .routing import Route, route
from .session import Database


def add_owner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`run_owner_import` needs to a command."""
    optional = ", ".join(column for column in COLUMNS if column not in REQUIRED)
    parser.add_argument(
        "file",
        type=Path,
        help=f"a CSV file in UTF-8 with the columns {', '.join(REQUIRED)} and, if wanted, {optional}",
    )
    parser.add_argument(
        "--check", action="store_true", help="say what the file would change, and change nothing"
    )


def run_owner_import(args: argparse.Namespace, database: Database, today: date) -> int:
    """Import an owner file and print what changed; 1 when it cannot be taken, and nothing was."""
    file: Path = args.file
    only_check: bool = args.check
    try:
        csv_bytes = file.read_bytes()
        with database.unit_of_work() as session:
            report = import_owners(session, csv_bytes, on=today, only_check=only_check)
    except OSError as error:
        print(f"{file} cannot be read ({error.strerror}): give a CSV file", file=sys.stderr)
        return 1
    except OwnerFileRefused as refusal:
        print(f"{file} cannot be taken; nothing was changed:\n{refusal}", file=sys.stderr)
        return 1
    print(_in_words(report, only_check=only_check))
    return 0


def run_route(targets: Sequence[str], database: Database, today: date) -> int:
    """Print a line for each target: who answers for it, and why; 1 when nobody does for any of them."""
    with database.reading() as session:
        routes = [route(session, [target], on=today) for target in targets]
        for found in routes:
            print(_line(found))
    return 0 if any(found.owner for found in routes) else 1


def _in_words(report: ImportReport, *, only_check: bool) -> str:
    if report.changed_nothing:
        heading = "the directory says already what the file says: nothing changes"
    elif only_check:
        heading = "the file can be taken; nothing was changed yet"
    else:
        heading = "the file was taken"
    counts = [f"owners: {report.owners}", f"assets: {report.assets}"]
    return "\n".join([heading, *counts, *map(str, report.remarks)])


def _line(found: Route) -> str:
    who = f"{found.owner.name} <{found.owner.address}>" if found.owner else "triage team"
    return f"{who}: {found.because}"

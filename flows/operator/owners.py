"""``meldbalie owners import FILE.csv``: the owner directory, taken whole or not at all."""

import argparse

from ...models.owner_commands import add_owner_arguments, run_owner_import
from ..installation import records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    add_owner_arguments(verbs.add_parser("import", help="replace the imported owners by a CSV file"))


def run(args: argparse.Namespace) -> int:
    """Import; 1 when the file cannot be taken, and then nothing has changed."""
    place = records()
    return run_owner_import(args, place.database, place.promise.local_day(place.clock()))

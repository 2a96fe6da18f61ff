"""``meldbalie route TARGET…``: who answers for a host or an address, and why."""

import argparse

from ...models.owner_commands import run_route
from ..installation import records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("target", nargs="+", help="a host, an address or a URL")


def run(args: argparse.Namespace) -> int:
    """Print the owner of each target; 1 when nobody owns any of them."""
    place = records()
    return run_route(args.target, place.database, place.promise.local_day(place.clock()))

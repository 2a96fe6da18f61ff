"""``meldbalie flows``: the process that runs the flows, against the configured Prefect API."""

import argparse

from ..installation import installation
from ..serving import serve_flows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: there are none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Serve every flow until the process is told to stop."""
    del args
    serve_flows(installation())
    return 0

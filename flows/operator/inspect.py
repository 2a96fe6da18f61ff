"""``meldbalie inspect``: a letter is looked at within the configured limits, as the intake looks at it."""

import argparse

from ...mailbox import inspection
from ...mailbox.inspection import add_arguments
from ...mailbox.limits import Limits
from ...settings import settings

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Print what the letters are; without a configuration file the limits have their defaults."""
    return inspection.run(args, Limits(**settings().limits.model_dump()))

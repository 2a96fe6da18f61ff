"""Errors without words: what Prefect may know of a failure is its kind and its place.

The text of an exception can hold what a library was given, a line of a report or an address, and
Prefect keeps it in states, logs and events for good.
"""

import traceback
from collections.abc import Generator
from contextlib import contextmanager

from ..models.outage import outage


class WorkFailed(Exception):
    """A piece of work failed; the message names the work, the kind of error and where it arose."""


@contextmanager
def discreet(work: str) -> Generator[None]:
    """Let an exception through as :class:`WorkFailed`, without its text and without its chain."""
    try:
        yield
    except WorkFailed:  # told without words already, of the work inside this one
        raise
    except Exception as error:
        why = outage(error) or type(error).__name__
        raise WorkFailed(f"{work}: {why} at {place_of(error)}") from None


def place_of(error: Exception) -> str:
    """Where an error arose: the last file and line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    return f"{ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno}"

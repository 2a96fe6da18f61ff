"""What a check found: how it is, what it is, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of `meldbalie check`."""

    state: State
    what: str
    mend: str = ""


def ok(what: str) -> Finding:
    """It works."""
    return Finding(State.OK, what)


def warning(what: str, mend: str) -> Finding:
    """It works, and will not for ever, or not as well as it could."""
    return Finding(State.WARNING, what, mend)


def wrong(what: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(State.WRONG, what, mend)

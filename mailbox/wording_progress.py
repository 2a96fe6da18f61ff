"""The facts of the mail that keeps a reporter informed whose report was joined with another."""

from dataclasses import dataclass
from datetime import date, datetime

from .wording_facts import OnTicket
from .wording_parts import Kind, Label


@dataclass(frozen=True, kw_only=True)
class ProgressPlain(OnTicket):
    """To a reporter without a usable key: there is news at the secret link."""

    kind = Kind.PROGRESS_PLAIN


@dataclass(frozen=True, kw_only=True)
class Progress(OnTicket):
    """To the reporter of a ticket that was joined with another: how the problem stands, and no more.

    It never tells of the other ticket, nor that somebody else reported the problem.
    """

    kind = Kind.PROGRESS
    is_sealed = True
    state: Label
    meaning: Label
    is_closed: bool
    closed_because: Label | None
    expected_fix_on: date | None
    fixed_on: date | None
    was_fixed_in_error: bool
    embargo_ends_at: datetime | None
    embargo_is_lifted: bool
    publish_on: date | None

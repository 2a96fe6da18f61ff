"""The facts of the mails about keys. ``problem`` is a code everywhere; whose key of a reporter it is
stays on the ticket."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .wording_facts import Facts, OnTicket
from .wording_parts import Kind

Party = Literal["reporter", "owner", "former_owner", "staff", "ibd"]


@dataclass(frozen=True, kw_only=True)
class KeyAlarm(OnTicket):
    """To handlers: on a ticket somebody's key was changed, revoked, or cannot be used any more."""

    kind = Kind.KEY_ALARM
    party: Party
    problem: str
    run_url: str


@dataclass(frozen=True, kw_only=True)
class KeyRefused(OnTicket):
    """To a reporter who sent a key that cannot be used: why, and what a better one is like."""

    kind = Kind.KEY_REFUSED
    problem: str


@dataclass(frozen=True, kw_only=True)
class KeyWarning(Facts):
    """To handlers, and to whoever holds the key: it ends soon, or cannot be used.

    ``holder`` is empty for the intake key itself.
    """

    kind = Kind.KEY_WARNING
    ticket: None = None  # pyright: ignore[reportIncompatibleVariableOverride] - it is about no report
    holder: str
    fingerprint: str
    problem: str
    ends_at: datetime | None
    is_yours: bool

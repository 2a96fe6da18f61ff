"""The facts of the mail by which somebody of ours confirms what they want to do."""

from dataclasses import dataclass
from datetime import datetime

from .wording_facts import Facts
from .wording_parts import Kind, Label


@dataclass(frozen=True, kw_only=True)
class Confirm(Facts):
    """To whoever wants to do something with consequences: what it is, and the link to confirm it by.

    ``details`` are names with their values; ``reason`` is what the reporter would be told.
    """

    kind = Kind.CONFIRM
    is_sealed = True
    who: str
    act: Label
    details: tuple[tuple[Label, Label], ...]
    reason: str | None
    asked_at: datetime
    confirm_by: datetime
    link: str

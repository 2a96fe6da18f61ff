"""The facts of the mail that tells handlers and owners what became of a reply of theirs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .wording_facts import OnTicket
from .wording_parts import Kind, Label

Outcome = Literal["done", "refused", "filed"]


@dataclass(frozen=True, kw_only=True)
class OrderNotice(OnTicket):
    """To a handler or owner without a usable key: whether their reply was followed.

    ``has_seen``: they replied to the mail of a deadline, which counts as seen, whatever else came of it.
    """

    kind = Kind.ORDER_NOTICE
    outcome: Outcome
    has_seen: bool


@dataclass(frozen=True, kw_only=True)
class OrderReply(OrderNotice):
    """To a handler or owner: what their reply did, with the very text that the reporter gets, or why nothing.

    ``ordered`` says in words what we understood them to ask; ``why`` and ``notes`` are codes. ``because`` are
    the words of a refusal, in English only where it is that of an act (``not_allowed``). ``due_at`` is until
    when an answer is promised that is still to be given. ``joined_with`` is the ticket with which this one
    was joined: what goes to this one's reporter does not reach the other's.
    """

    kind = Kind.ORDER_REPLY
    is_sealed = True
    ordered: tuple[Label, ...]
    why: str | None
    because: Label | None
    notes: tuple[str, ...]
    due_at: datetime | None
    joined_with: str | None
    told: str | None

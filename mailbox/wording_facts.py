"""The facts that each kind of mail needs: no more, no fewer, and none with a default.

A class is the kind of mail that :func:`meldbalie.mailbox.wording.word` makes of it. Kinds that are
not sealed carry numbers, dates, our own names and addresses, never a word of a report.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Literal

from .wording_parts import AlarmLine, Attachment, Kind, Label, Match, MayBelong, OnRequest

_TICKET = re.compile(r"[A-Z]{2,12}-[0-9]{4}-[0-9]{4,9}")

Channel = Literal["mail", "form", "webhook"]
Signature = Literal[
    "verified", "unsigned", "unknown_key", "other_sender", "expired_key", "revoked_key", "invalid"
]
ClockName = str
Occasion = Literal["reported", "reopened", "split", "link_renewed"]
RungWords = Literal["reminder", "escalation", "breach"]
Sender = Literal["reporter", "owner", "former_owner", "ibd", "staff"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What all kinds share: which template, whether only ciphertext may leave, which ticket."""

    kind: ClassVar[Kind]
    is_sealed: ClassVar[bool] = False
    ticket: str | None

    def __post_init__(self) -> None:
        """Refuse a ticket number that is not one: it goes into a header."""
        if self.ticket is not None and not _TICKET.fullmatch(self.ticket):
            raise ValueError(f"{self.ticket!r} is no ticket number, such as CVD-2026-0042")


@dataclass(frozen=True, kw_only=True)
class OnTicket(Facts):
    """Facts of a mail that always belongs to a ticket."""

    ticket: str  # pyright: ignore[reportIncompatibleVariableOverride,reportGeneralTypeIssues] - frozen, so narrowing is sound


@dataclass(frozen=True, kw_only=True)
class Receipt(OnTicket):
    """To the reporter: received, and every promise of the policy.

    ``earlier`` is the number of the report that was taken up again, or that this one is a part of.
    """

    kind = Kind.RECEIPT
    is_sealed = True
    occasion: Occasion
    earlier: str | None
    received_at: datetime
    due_at: datetime
    link: str


@dataclass(frozen=True, kw_only=True)
class ReceiptPlain(Receipt):
    """To a reporter without a usable key: the same promises, and how to send us a key.

    ``key_problem`` says why the key that came along is none, as a code.
    """

    kind = Kind.RECEIPT_PLAIN
    is_sealed = False
    key_problem: str | None


@dataclass(frozen=True, kw_only=True)
class OwnerReport(OnTicket):
    """To the owner of the system; ``report`` and the file names come without the reporter.

    No ``matches`` means that nobody owns the target and the triage team stands in.
    """

    kind = Kind.OWNER_REPORT
    is_sealed = True
    due_at: datetime
    matches: tuple[Match, ...]
    report: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, kw_only=True)
class OwnerNotice(OnTicket):
    """To an owner without a usable key: there is a ticket, and how to get it."""

    kind = Kind.OWNER_NOTICE
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class HandlerReport(OnTicket):
    """To a handler: a new ticket, how it came in, whose it is, when the answer is due.

    ``earlier`` is the ticket that this one takes up again, or that it was split off.
    """

    kind = Kind.HANDLER_REPORT
    is_sealed = True
    occasion: Occasion
    earlier: str | None
    received_at: datetime
    due_at: datetime
    channel: Channel
    was_encrypted: bool
    signature: Signature
    key_problem: str | None
    owner: str
    matches: tuple[Match, ...]
    may_belong_to: tuple[MayBelong, ...]
    run_url: str
    report: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, kw_only=True)
class HandlerNotice(OnTicket):
    """To a handler without a usable key: there is a new ticket, and how to mend the key."""

    kind = Kind.HANDLER_NOTICE
    occasion: Occasion
    earlier: str | None
    due_at: datetime
    may_belong_to: tuple[MayBelong, ...]
    run_url: str


@dataclass(frozen=True, kw_only=True)
class IbdCopy(OnTicket):
    """To the IBD; ``report`` and ``targets`` are scrubbed, and ``removed`` counts what went.

    ``reporter`` is who found it, only if they consented to it; ``None`` leaves them out and says so.
    """

    kind = Kind.IBD_COPY
    is_sealed = True
    received_at: datetime
    targets: tuple[str, ...]
    severity: str | None
    report: str
    on_request: tuple[OnRequest, ...]
    removed: Mapping[str, int]
    reporter: str | None


@dataclass(frozen=True, kw_only=True)
class Answer(OnTicket):
    """To the reporter: what a handler wrote, with the expected fix date or why there is none."""

    kind = Kind.ANSWER
    is_sealed = True
    answer: str
    expected_fix_on: date | None
    no_date_because: str | None

    def __post_init__(self) -> None:
        """Refuse an answer without a date and without a reason, or with both."""
        super().__post_init__()
        if (self.expected_fix_on is None) == (not self.no_date_because):
            raise ValueError(
                f"the answer on {self.ticket} needs the date by which a fix is expected,"
                " or else the reason why there is none yet"
            )


@dataclass(frozen=True, kw_only=True)
class AnswerPlain(OnTicket):
    """To a reporter without a usable key: the answer is ready at the secret link."""

    kind = Kind.ANSWER_PLAIN


@dataclass(frozen=True, kw_only=True)
class StateChangedPlain(OnTicket):
    """To a reporter without a usable key: the new state and what comes next."""

    kind = Kind.STATE_CHANGED_PLAIN
    state: Label
    next_step: Label


@dataclass(frozen=True, kw_only=True)
class StateChanged(StateChangedPlain):
    """To the reporter: the new state, the reason, and for a closed ticket why it was closed."""

    kind = Kind.STATE_CHANGED
    is_sealed = True
    reason: str | None
    closed_because: Label | None


@dataclass(frozen=True, kw_only=True)
class MessageNotice(OnTicket):
    """To an owner or handler without a usable key: a message arrived.

    ``came_on`` is a joined ticket that it arrived on, ``joined_with`` the one that this ticket was joined
    with; ``doubt`` says why the sender may be another, or why it is only filed. ``ordered`` are the
    commands by mail that were done because of it.
    """

    kind = Kind.MESSAGE_NOTICE
    sender: Sender
    came_on: str | None
    joined_with: str | None
    doubt: str | None
    ordered: tuple[str, ...]
    received_at: datetime
    run_url: str | None


@dataclass(frozen=True, kw_only=True)
class Message(MessageNotice):
    """To an owner or handler: a further message on the ticket; ``run_url`` only for handlers.

    ``is_of_another``: somebody else wrote it than the ticket's reporter, to whom replies would go.
    """

    kind = Kind.MESSAGE
    is_sealed = True
    is_of_another: bool
    message: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, kw_only=True)
class Rung(OnTicket):
    """To whoever a rung of the escalation ladder names; ``share`` 1.0 means due.

    ``acknowledge`` is where the reader says that they have seen it, if that is asked, and until when.
    Owners do not work in Prefect: they get no ``run_url``, and are asked to reply.
    """

    kind = Kind.RUNG
    words: RungWords
    acknowledge: str | None
    acknowledge_by: datetime | None
    owner: str
    clock: ClockName
    share: float
    due_at: datetime
    is_breached: bool
    run_url: str | None


@dataclass(frozen=True, kw_only=True)
class Quarantined(Facts):
    """To handlers: a message of the intake mailbox could not be filed; ``problem`` is a code."""

    kind = Kind.QUARANTINED
    ticket: None = None  # pyright: ignore[reportIncompatibleVariableOverride] - there is none yet
    entry: int
    problem: str
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class CannotOpen(Facts):
    """To a sender: what you sent could not be opened, and how to try again.

    It does not tell why: who tries what we can decrypt must learn nothing (EFAIL).
    """

    kind = Kind.CANNOT_OPEN
    ticket: None = None  # pyright: ignore[reportIncompatibleVariableOverride] - there is none yet
    received_at: datetime
    largest_megabytes: int


@dataclass(frozen=True, kw_only=True)
class Undelivered(Facts):
    """To handlers: a mail was parked or is held; ``recipient`` and ``reason`` are codes."""

    kind = Kind.UNDELIVERED
    purpose: Kind
    recipient: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Alarm(Facts):
    """To handlers: what the audit found, in kinds and numbers."""

    kind = Kind.ALARM
    ticket: None = None  # pyright: ignore[reportIncompatibleVariableOverride] - it is about the desk
    found_at: datetime
    lines: tuple[AlarmLine, ...]

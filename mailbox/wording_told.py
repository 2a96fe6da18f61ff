"""The facts of what handlers write that is no answer: messages, questions, silence and publication
proposed to the reporter; a ticket given to somebody else; and a copy that waits for a look."""

from dataclasses import dataclass
from datetime import date, datetime

from .wording_facts import IbdCopy, OnTicket
from .wording_parts import Kind


@dataclass(frozen=True, kw_only=True)
class Told(OnTicket):
    """To the reporter: a message, which asks nothing of them."""

    kind = Kind.TOLD
    is_sealed = True
    message: str


@dataclass(frozen=True, kw_only=True)
class ToldPlain(OnTicket):
    """To a reporter without a usable key: a message waits at the secret link."""

    kind = Kind.TOLD_PLAIN


@dataclass(frozen=True, kw_only=True)
class Asked(OnTicket):
    """To the reporter: a question, and that we wait for them."""

    kind = Kind.ASKED
    is_sealed = True
    message: str


@dataclass(frozen=True, kw_only=True)
class AskedPlain(OnTicket):
    """To a reporter without a usable key: something is asked at the secret link, and we wait for it."""

    kind = Kind.ASKED_PLAIN


@dataclass(frozen=True, kw_only=True)
class Embargo(OnTicket):
    """To the reporter: until when both keep silent; ``ends_at`` is ``None`` where that is taken back.

    ``was`` is the end that was proposed before.
    """

    kind = Kind.EMBARGO
    is_sealed = True
    ends_at: datetime | None
    was: datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Publication(OnTicket):
    """To the reporter: the problem is solved, and on which day we would publish about it."""

    kind = Kind.PUBLICATION
    is_sealed = True
    on: date
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class AssignedNotice(OnTicket):
    """To a handler without a usable key: a ticket was given to them."""

    kind = Kind.ASSIGNED_NOTICE
    run_url: str


@dataclass(frozen=True, kw_only=True)
class Assigned(AssignedNotice):
    """To a handler: a ticket was given to them, by whom and why."""

    kind = Kind.ASSIGNED
    is_sealed = True
    by: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class FixedPlain(OnTicket):
    """To a reporter without a usable key: the problem was fixed, on which day.

    ``fixed_on`` is ``None`` where we said so in error; ``expected_fix_on`` is then what we expect.
    """

    kind = Kind.FIXED_PLAIN
    fixed_on: date | None
    expected_fix_on: date | None


@dataclass(frozen=True, kw_only=True)
class Fixed(FixedPlain):
    """To the reporter: the same."""

    kind = Kind.FIXED
    is_sealed = True


@dataclass(frozen=True, kw_only=True)
class HandedOverNotice(OnTicket):
    """To a former owner without a usable key: a ticket is not theirs any more."""

    kind = Kind.HANDED_OVER_NOTICE


@dataclass(frozen=True, kw_only=True)
class HandedOver(HandedOverNotice):
    """To the owner that a ticket was taken from: who has it now."""

    kind = Kind.HANDED_OVER
    is_sealed = True
    owner: str


@dataclass(frozen=True, kw_only=True)
class HeldCopyNotice(OnTicket):
    """To a handler without a usable key: the copy for the IBD waits for their look."""

    kind = Kind.HELD_COPY_NOTICE
    run_url: str


@dataclass(frozen=True, kw_only=True)
class HeldCopy(HeldCopyNotice):
    """To a handler: the copy as it would leave, and what raised the doubt, as codes."""

    kind = Kind.HELD_COPY
    is_sealed = True
    doubts: tuple[str, ...]
    copy: IbdCopy

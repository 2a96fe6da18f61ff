"""What the API answers with, field by field; the OpenAPI document is made from it.

Codes are stable and for programs, labels and sentences are for people, in the language asked for.
"""

from datetime import UTC
from typing import Any

from marshmallow import Schema, fields, validate

from ..models.states import CloseReason, TicketState
from ..models.ticket import WaitingOn
from .status import Outcome
from .words import CREDITS


def _text(says: str, **more: Any) -> fields.String:
    return fields.String(metadata={"description": says}, **more)


def _code(
    says: str, codes: type[TicketState | CloseReason | WaitingOn | Outcome], **more: Any
) -> fields.Enum[Any]:
    return fields.Enum(codes, by_value=True, metadata={"description": says}, **more)


def _instant(says: str, **more: Any) -> fields.AwareDateTime:
    return fields.AwareDateTime("iso", default_timezone=UTC, metadata={"description": says}, **more)


def _yes_or_no(says: str) -> fields.Boolean:
    return fields.Boolean(metadata={"description": says})


class StateSchema(Schema):
    """Where the report stands."""

    code = _code("The state.", TicketState)
    label = _text("What the state is called.")
    meaning = _text("The state in a sentence.")
    next_step = _text("What comes next.")


class WaitingSchema(Schema):
    """Who is expected to do something next."""

    code = _code("Who.", WaitingOn)
    label = _text("Who, in words.")


class ResponseSchema(Schema):
    """The promised answer."""

    due_at = _instant("Until when it is promised.")
    answered_at = _instant("When it was delivered.", allow_none=True)
    outcome = _code("How the promise stands.", Outcome)
    no_date_because = _text("Why the answer named no date for the solution; empty when it named one.")


class SharingSchema(Schema):
    """The copy that went to the IBD."""

    at = _instant("When it was delivered.")
    with_identity = _yes_or_no("Whether it names the reporter.")


class ClosingSchema(Schema):
    """How the report ended."""

    at = _instant("When.", allow_none=True)
    code = _code("The reason.", CloseReason, allow_none=True)
    label = _text("The reason in words.", allow_none=True)


class MoveSchema(Schema):
    """A change of state."""

    at = _instant("When.")
    to = _code("The new state.", TicketState)
    label = _text("What the new state is called.")
    because = _text("The reason that the reporter was told; may be empty.")


class ProposalSchema(Schema):
    """What we proposed about making things known: silence, or a publication."""

    at = _instant("When.")
    ends_at = _instant("Until when both keep silent; null where that was taken back.", allow_none=True)
    publish_on = fields.Date(allow_none=True, metadata={"description": "The day to publish on."})
    because = _text("The reason that the reporter was told; may be empty.")


class MessageSchema(Schema):
    """A message after the report."""

    at = _instant("When.")
    sender = fields.String(
        validate=validate.OneOf(["organisation", "reporter"]), metadata={"description": "Who wrote it."}
    )
    text = _text(
        "What we wrote; null for a message of the reporter, which is not shown again.", allow_none=True
    )
    asks = _yes_or_no("Whether we asked the reporter something by it.")


class StandingSchema(Schema):
    """How the problem stands that a report was a duplicate of."""

    state = _code("The state of the problem.", TicketState)
    label = _text("What that state is called.")
    meaning = _text("That state in a sentence.")
    closed_because = _code("Why its handling ended, where that can be told.", CloseReason, allow_none=True)
    closed_because_label = _text("The same in words.", allow_none=True)
    expected_fix_on = fields.Date(
        allow_none=True, metadata={"description": "The day on or before which a solution is expected."}
    )
    fixed_at = _instant("When it was fixed; null while it is not.", allow_none=True)
    embargo_ends_at = _instant("Until when both are to keep silent, as we proposed last.", allow_none=True)
    publish_on = fields.Date(
        allow_none=True, metadata={"description": "The day on which we proposed to publish about it."}
    )


class StatusSchema(Schema):
    """One report as its reporter may see it. The report itself is never part of it."""

    reference = _text("The public number, such as CVD-2026-0042.")
    state = fields.Nested(StateSchema)
    waiting_on = fields.Nested(WaitingSchema, allow_none=True)
    received_at = _instant("When the report arrived.")
    response = fields.Nested(ResponseSchema, allow_none=True)
    expected_fix_on = fields.Date(
        allow_none=True, metadata={"description": "The day on or before which a solution is expected."}
    )
    fixed_at = _instant("When the problem was fixed; null while it is not.", allow_none=True)
    fix_is_late = _yes_or_no("Whether that day has passed while the report is open and not fixed.")
    embargo_ends_at = _instant("Until when both are to keep silent, as we proposed last.", allow_none=True)
    publish_on = fields.Date(
        allow_none=True, metadata={"description": "The day on which we proposed to publish about it."}
    )
    proposals = fields.Nested(ProposalSchema, many=True)
    shared_with_ibd = fields.Nested(SharingSchema, allow_none=True)
    moves = fields.Nested(MoveSchema, many=True)
    messages = fields.Nested(MessageSchema, many=True)
    credit = fields.String(
        validate=validate.OneOf(list(CREDITS)), metadata={"description": "How the finder is to be named."}
    )
    shares_identity = _yes_or_no("Whether the reporter consents to sharing personal data.")
    closing = fields.Nested(ClosingSchema, allow_none=True)
    problem = fields.Nested(StandingSchema, allow_none=True)
    updated_at = _instant("When something was last seen to change.")


class ProblemSchema(Schema):
    """A refusal (RFC 9457)."""

    type = _text("Always about:blank.")
    title = _text("The refusal in a few words.")
    status = fields.Integer(metadata={"description": "The HTTP status code."})
    detail = _text("The refusal in a sentence.")

"""The milestones of a ticket that stand: noted, and not withdrawn since."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .ticket import Event

FIX_READY, FIX_DEPLOYED, PUBLIC, EXPLOITED = "fix_ready", "fix_deployed", "public", "exploited"
MILESTONE_EVENTS = ("milestone", "milestone_withdrawn")


def standing_milestones(session: Session, ticket_id: int) -> dict[str, datetime]:
    """The milestones that stand, each with the instant at which it happened."""
    rows = select(Event.kind, Event.facts).where(
        Event.ticket_id == ticket_id, Event.kind.in_(MILESTONE_EVENTS)
    )
    standing: dict[str, datetime] = {}
    for kind, facts in session.execute(rows.order_by(Event.seq)):
        standing.pop(facts["what"], None)
        if kind == "milestone":
            standing[facts["what"]] = datetime.fromisoformat(facts["happened_at"])
    return standing

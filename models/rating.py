"""Rating a ticket: how severe handlers judge it, by a CVSS vector or without one.

The rating is internal: it moves no clock and is not shown to the reporter.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from .errors import Refused
from .holding import hold
from .severity import Rating, Severity, rating_by_vector
from .ticket import Ticket


def rating_of(ticket: Ticket) -> Rating | None:
    """How a ticket is rated now; ``None`` while it is not."""
    if ticket.severity is None:
        return None
    return Rating(ticket.severity, ticket.cvss_score, ticket.cvss_vector)


def rate(
    session: Session,
    ticket: Ticket,
    *,
    severity: Severity | None = None,
    vector: str = "",
    by: str,
    because: str = "",
    now: datetime,
) -> None:
    """Give a ticket a severity, or the vector that it follows from; the former rating is replaced.

    Closed tickets as well: what it was is often known only once it is fixed. Raises :class:`Refused`.
    """
    hold(session, ticket)
    was, rating = rating_of(ticket), _rating(severity, vector)
    if rating == was:
        raise Refused(f"{ticket.reference} is rated {was} already: there is nothing to change")
    ticket.severity, ticket.cvss_score, ticket.cvss_vector = rating.severity, rating.score, rating.vector
    move = {"from": was.severity.value if was else "", "to": rating.severity.value}
    facts = move | {"vector": rating.vector or "", "score": rating.score}
    ticket.record("rated", by=by, at=now, because=because, **facts)


def _rating(severity: Severity | None, vector: str) -> Rating:
    if not vector.strip():
        if severity is None:
            raise Refused("the rating is empty: give a severity or a CVSS vector")
        return Rating(severity)
    rating = rating_by_vector(vector)
    if severity not in (None, rating.severity):
        raise Refused(
            f"the severity {severity} is not that of the CVSS vector, which is {rating.severity},"
            f" {rating.score:.1f}: leave one of the two empty"
        )
    return rating

"""Who acts proves it before what cannot be taken back: by a PIN at once, or by a link in sealed mail.

`desk.second_factor` says which. An order that would be refused anyway is refused before anybody is asked
to confirm it.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ..models import confirmations, joining
from ..models.confirmations import Confirmation
from ..models.errors import Refused
from ..models.pins import check_pin
from ..models.ticket import Ticket
from .acting import Action, Order, carry_out
from .handlers import handler_called
from .installation import Records


def prove(place: Records, order: Order, pin: str) -> str:
    """How it is proved who wants this: ``pin``, or nothing while a link has to be confirmed first.

    A wrong PIN counts whatever becomes of the order, so it is compared in a transaction of its own: ask
    before you begin another. Raises :class:`Refused`.
    """
    person = handler_called(place, order.who)
    if place.config.desk.second_factor == "link":
        return ""
    local_now = place.clock().astimezone(ZoneInfo(place.config.organisation.zone))
    with place.database.unit_of_work() as session:
        wrong = check_pin(session, person.name, pin, now=local_now)
    if wrong:
        raise Refused(wrong)
    return "pin"


def ask_for_link(
    place: Records, session: Session, ticket: Ticket, order: Order, seen: int, *, account: str = ""
) -> Confirmation:
    """Send whoever wants this a link to confirm it by; raises :class:`Refused` where it could not be done."""
    person = handler_called(place, order.who)
    if order.action is Action.JOIN:  # the one that is suggested is named to who confirms it
        other = joining.other_called(session, ticket, order.belongs_to)
        order = order.model_copy(update={"belongs_to": other.reference})
    _try_out(place, session, ticket, order)
    return confirmations.ask(
        session,
        ticket=ticket,
        who=person,
        action=order.action.value,
        wanted=order.model_dump(mode="json", exclude_defaults=True),
        seen=seen,
        now=place.clock(),
        lasting=timedelta(hours=place.config.desk.confirm_hours),
        account=account,
    )


def _try_out(place: Records, session: Session, ticket: Ticket, order: Order) -> None:
    """Carry an order out and take all of it back, for its refusals."""
    trial = session.begin_nested()
    try:
        carry_out(place, session, ticket, order)
        session.flush()
    finally:
        trial.rollback()

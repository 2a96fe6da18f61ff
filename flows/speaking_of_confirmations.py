"""What the mail says by which somebody of ours confirms what they want to do. It leaves only sealed."""

from sqlalchemy.orm import Session

from ..mailbox import wording_desk as say
from ..mailbox.wording_parts import Label
from ..models.confirmations import TOKEN, Confirmation, renew_link
from ..models.outbox import Mail
from ..models.wanted import act_label, details
from .installation import Installation
from .spoken import Spoken, Withheld


def to_be_confirmed(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To whoever asked for it: what they are about to do, and the link; sent again it has a new one."""
    facts = mail.facts or {}
    asked = session.get_one(Confirmation, facts["confirmation"])
    if not asked.is_open(place.clock()):
        raise Withheld("link_is_dead")
    token = facts.get(TOKEN) or renew_link(mail, asked)
    told = say.Confirm(
        ticket=mail.ticket.reference if mail.ticket else None,
        who=asked.who,
        act=Label(*act_label(asked.action)),
        details=tuple((Label(*name), Label(*value)) for name, value in details(asked.wanted)),
        reason=asked.wanted.get("text") or None,
        asked_at=asked.made_at,
        confirm_by=asked.expires_at,
        link=f"{place.config.organisation.public_url}/c/{token}",
    )
    return Spoken(told, None)

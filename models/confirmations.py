"""Acts that wait for their second factor: a link in the sealed mail of whoever wants to do them.

What is wanted lies sealed until the link is opened and its button pressed, and is carried out then, once,
as if it had been asked at that moment: what was decided in between refuses it. It is forgotten when it was
carried out or refused, or when another one took its place.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .desk import desk_run_of
from .errors import Refused
from .holding import hold
from .links import new_token, token_hash
from .outbox import Mail, MailKind, MailState, write_mail
from .people import Correspondent
from .ticket import Ticket
from .vault import SealedJson, SealedText

#: The outcome of one that was carried out; of several tickets at once it is a line for each.
DONE = "done"
#: How the outcome of one begins that was refused; the refusal follows, in words.
NOT_DONE = "not done: "
#: How the outcome of one of several tickets begins that was refused for some of them.
DONE_IN_PART = "done in part: "
#: The outcome of one whose place another took that the same person asked for later.
REPLACED = "replaced"
NOT_SO = "something else was asked for before it was confirmed, so it was not done"
#: The outcome of one that nobody confirmed in time.
EXPIRED = "expired"
#: The fact of a mail that holds the token of its link, and is forgotten once it has left.
TOKEN = "confirm"  # noqa: S105 - the name of a fact
NOT_SENT = (MailState.WAITING, MailState.PARKED, MailState.HELD)


class Confirmation(Base):
    """One act that somebody wants to do, who, and how far it is.

    ``action`` is the code of what is done; ``wanted`` is all that it takes, which nobody but us reads.
    ``seen`` is how many events of the ticket's history the person had before them, and ``account`` as whom
    the proxy knows them, if there is one. Without a ticket it is about several at once, which ``wanted``
    names.
    """

    __tablename__ = "confirmations"
    __table_args__ = (
        Index(
            "ix_confirmations_not_done",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    who: Mapped[str]
    action: Mapped[str]
    wanted: Mapped[dict[str, Any]] = mapped_column(SealedJson)
    seen: Mapped[int] = mapped_column(default=0)
    account: Mapped[str] = mapped_column(default="")
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(SealedText)

    ticket: Mapped[Ticket | None] = relationship()

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be confirmed."""
        return self.done_at is None and self.confirmed_at is None and now < self.expires_at


def ask(
    session: Session,
    *,
    ticket: Ticket | None,
    who: Correspondent,
    action: str,
    wanted: dict[str, Any],
    seen: int,
    now: datetime,
    lasting: timedelta,
    account: str = "",
) -> Confirmation:
    """Let somebody confirm by a link in their sealed mail what they want to do.

    It takes the place of what the same person asked on the ticket before and has not confirmed. The token
    of the link lies in the mail alone. Raises :class:`Refused` for who has no key to seal it to.
    """
    if not who.fingerprint:
        raise Refused(
            f"{who.name} has no pinned key, so no link to confirm this can be sent, and nothing was done:"
            ' pin their key (`meldbalie keys pin`), or set desk.second_factor = "pin"'
        )
    if ticket is not None:
        hold(session, ticket)
        _replace(session, ticket, who.name, action, now=now)
        known = {"account": account} if account else {}
        ticket.record("proof_asked", by=who.name, at=now, action=action, **known)
    token = new_token()
    asked = Confirmation(
        ticket=ticket,
        who=who.name,
        action=action,
        wanted=wanted,
        seen=seen,
        account=account,
        token_hash=token_hash(token),
        made_at=now,
        expires_at=now + lasting,
    )
    session.add(asked)
    session.flush()
    write_mail(
        session,
        MailKind.CONFIRM,
        who,
        party="staff",
        cause=str(asked.id),
        now=now,
        ticket=ticket,
        facts={"confirmation": asked.id, TOKEN: token},
    )
    return asked


def confirmation_behind(session: Session, token: str) -> Confirmation | None:
    """What a token confirms; ``None`` for a wrong one."""
    found = select(Confirmation).where(Confirmation.token_hash == token_hash(token))
    return session.scalars(found).one_or_none()


def confirm(session: Session, token: str, *, now: datetime) -> Confirmation | None:
    """Note that it is confirmed, once; ``None`` for a wrong token.

    One that is too late, was replaced or is confirmed already stays as it is.
    """
    found = select(Confirmation).where(Confirmation.token_hash == token_hash(token)).with_for_update()
    asked = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    if asked is not None and asked.is_open(now):
        asked.confirmed_at = now
    return asked


def open_for(session: Session, ticket: Ticket, now: datetime) -> list[Confirmation]:
    """What waits on a ticket to be confirmed, or to be carried out."""
    waiting = or_(Confirmation.confirmed_at.is_not(None), Confirmation.expires_at > now)
    found = select(Confirmation).where(
        Confirmation.ticket_id == ticket.id, Confirmation.done_at.is_(None), waiting
    )
    return list(session.scalars(found.order_by(Confirmation.id)))


def to_be_done(session: Session) -> list[int]:
    """The numbers of what was confirmed and is not carried out, the oldest first."""
    found = select(Confirmation.id).where(
        Confirmation.confirmed_at.is_not(None), Confirmation.done_at.is_(None)
    )
    return list(session.scalars(found.order_by(Confirmation.id)))


def was_done(session: Session, confirmation: Confirmation, outcome: str, *, now: datetime) -> None:
    """Record what came of it, in words, and forget what was wanted."""
    session.refresh(confirmation, with_for_update=True)
    if confirmation.done_at is None:
        confirmation.done_at, confirmation.outcome, confirmation.wanted = now, outcome, {}


def let_expire(session: Session, now: datetime) -> list[tuple[Confirmation, str]]:
    """Forget what was wanted by those who did not confirm it in time; gives each, and the text of it."""
    told = list[tuple[Confirmation, str]]()
    expired = select(Confirmation).where(
        Confirmation.done_at.is_(None), Confirmation.confirmed_at.is_(None), Confirmation.expires_at <= now
    )
    for asked in session.scalars(expired.with_for_update(skip_locked=True)):
        told.append((asked, str(asked.wanted.get("text", ""))))
        was_done(session, asked, EXPIRED, now=now)
    session.flush()
    return told


def renew_link(mail: Mail, asked: Confirmation) -> str:
    """The token of a link for a mail that is sent again; the one before opens nothing any more."""
    token = new_token()
    asked.token_hash = token_hash(token)
    mail.facts = (mail.facts or {}) | {TOKEN: token}
    return token


def _replace(session: Session, ticket: Ticket, who: str, action: str, *, now: datetime) -> None:
    """Let go of what a person asked on a ticket and has not confirmed; hold the ticket first.

    The text of another action is kept for them, as of what is refused.
    """
    found = select(Confirmation).where(
        Confirmation.ticket_id == ticket.id,
        Confirmation.who == who,
        Confirmation.confirmed_at.is_(None),
        Confirmation.done_at.is_(None),
    )
    for asked in session.scalars(found.with_for_update(skip_locked=True)):  # a locked one is being confirmed
        if asked.action != action and (written := str(asked.wanted.get("text", ""))):
            desk_run_of(session, ticket).was_refused(who, because=NOT_SO, action=asked.action, text=written)
        was_done(session, asked, REPLACED, now=now)
        _call_off(session, asked)


def _call_off(session: Session, asked: Confirmation) -> None:
    """Keep a mail from leaving whose link does nothing any more."""
    found = select(Mail).where(
        Mail.ticket_id == asked.ticket_id, Mail.kind == MailKind.CONFIRM, Mail.state.in_(NOT_SENT)
    )
    for mail in session.scalars(found.with_for_update().execution_options(populate_existing=True)):
        if (mail.facts or {}).get("confirmation") == asked.id:
            mail.state, mail.problem = MailState.CALLED_OFF, None
            mail.facts = {"confirmation": asked.id}

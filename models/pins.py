"""Personal PINs: the second factor of handlers who do not confirm by mail.

A PIN is short, so whoever had its hash could try them all. It lies as a salted slow hash in a column that
only the application keys open, and guessing at the form ends in a lock.
"""

import hashlib
import hmac
import secrets
import shlex
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .errors import Refused
from .vault import SealedText

SHORTEST = 6
LONGEST = 128
FEWEST_DIFFERENT = 3
MOST_FAILURES = 5
LOCK = timedelta(minutes=15)
#: Cost, block size and parallelism of scrypt: 32 MB, as OWASP's Password Storage Cheat Sheet has it.
COST, BLOCK, LANES = 2**15, 8, 3
SALT_BYTES = 16
MOST_MEMORY = 2**26


class Pin(Base):
    """The PIN of one person, as a salted slow hash, and how often a wrong one was given."""

    __tablename__ = "pins"

    person: Mapped[str] = mapped_column(primary_key=True)
    hashed: Mapped[str] = mapped_column(SealedText)
    set_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]


def set_pin(session: Session, person: str, pin: str, *, now: datetime) -> None:
    """Give a person a PIN instead of the one before, which also ends a lock; raises :class:`Refused`."""
    if too_easy := why_too_easy(pin):
        raise Refused(too_easy)
    session.merge(Pin(person=person, hashed=_hashed(pin), set_at=now, failures=0, locked_until=None))


def check_pin(session: Session, person: str, pin: str, *, now: datetime) -> str:
    """Compare a PIN with a person's own: nothing when it is right, else why not, in a sentence.

    Wrong ones are counted, so commit before the sentence is raised. While it is locked nothing is compared.
    The sentence tells times in the zone of ``now``.
    """
    kept = session.scalars(
        select(Pin).where(Pin.person == person).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if kept is None:
        return f"{person} has no PIN: an operator sets one with `meldbalie pins set {shlex.quote(person)}`"
    if kept.locked_until is not None and now < kept.locked_until:
        return _locked(kept.locked_until, now)
    kept.locked_until = None
    if _is(kept.hashed, pin):
        kept.failures = 0
        return ""
    kept.failures += 1
    if kept.failures < MOST_FAILURES:
        left = MOST_FAILURES - kept.failures
        tries = "one more wrong one locks it" if left == 1 else f"{left} more wrong ones lock it"
        return f"that is not the PIN of {person}, and nothing was done; {tries}"
    until = now + LOCK
    kept.failures, kept.locked_until = 0, until
    return _locked(until, now)


def remove_pin(session: Session, person: str) -> None:
    """Take a person's PIN away; raises :class:`Refused` when there is none."""
    kept = session.get(Pin, person)
    if kept is None:
        raise Refused(f"{person} has no PIN; `meldbalie pins list` shows who has one")
    session.delete(kept)


def pins(session: Session) -> list[Pin]:
    """Everybody's, in the order of their names."""
    return list(session.scalars(select(Pin).order_by(Pin.person)))


def why_too_easy(pin: str) -> str:
    """Why a PIN cannot be taken, in a sentence; nothing where it can."""
    if not SHORTEST <= len(pin) <= LONGEST:
        return f"a PIN has {SHORTEST} characters at least and {LONGEST} at most: give another one"
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    if len(set(pin)) < FEWEST_DIFFERENT or steps in ({1}, {-1}):
        return (
            "that PIN would be guessed first: give one that is no row such as 123456"
            f" and has {FEWEST_DIFFERENT} different characters at least"
        )
    return ""


def _locked(until: datetime, now: datetime) -> str:
    return (
        f"the PIN was wrong {MOST_FAILURES} times and is locked until {until.astimezone(now.tzinfo):%H:%M};"
        " nothing was done. Try again after that, or ask an operator to set another one"
    )


def _hashed(pin: str) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _digest(pin, salt, COST, BLOCK, LANES)
    return f"scrypt${COST}${BLOCK}${LANES}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def _is(hashed: str, pin: str) -> bool:
    """Whether a PIN makes this hash, with the costs that stand in it; takes as long for every PIN."""
    _, cost, block, lanes, salt, digest = hashed.split("$")
    made = _digest(pin, b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(made, b64decode(digest))


def _digest(pin: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        pin.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=block, p=lanes, maxmem=MOST_MEMORY
    )

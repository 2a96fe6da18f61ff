"""Refusals of the domain: what was asked is understood and not allowed."""

from sqlalchemy.exc import DontWrapMixin


class Refused(Exception):
    """What was asked is not allowed; the message says why and what is possible instead."""


class IllegalMove(Refused):
    """The ticket's state does not lead to the state that was asked for."""


class UnknownTicket(Refused):
    """There is no ticket of that number."""


class AnswerIncomplete(Refused):
    """An answer without an expected fix date and without the reason why there is none."""


class VaultLocked(Refused, DontWrapMixin):
    """A protected column was touched before the application keys were given."""


class WrongApplicationKey(Refused, DontWrapMixin):
    """A protected column was written with an application key that is not among those given."""

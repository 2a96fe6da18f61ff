"""What a mail is made from before it is put into words, and why one may not leave."""

from dataclasses import dataclass

from ..mailbox import compose
from ..mailbox import wording_facts as say


class Withheld(Exception):
    """A mail that must not leave as it is; ``problem`` is a code for handlers."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True)
class Spoken:
    """A mail's facts when it can be sealed and when it cannot, and the files that travel with it."""

    sealed: say.Facts
    plain: say.Facts | None
    files: tuple[compose.Attachment, ...] = ()

"""What a walk through a letter brings back: the pieces that are shown, the signatures, and what went
wrong."""

from dataclasses import dataclass, field

from .offered_keys import Offers
from .parts import Headers, Part
from .problem import Problem
from .signing import Found


@dataclass(frozen=True)
class Place:
    """Where in the letter the walk is."""

    depth: int = 0
    layers: int = 0
    """How many sealed or attached letters are around."""
    is_sealed: bool = False
    is_foreign: bool = False
    """Inside of a letter that is merely attached."""
    is_returned: bool = False
    """Inside of a report on a letter, such as a bounce, which brings back what others wrote to others."""
    is_muted: bool = False
    """Another form of the same text is the one shown."""
    signatures: frozenset[int] = frozenset()
    """The numbers of the signatures that cover this place."""


@dataclass(frozen=True)
class Piece:
    """A text or a file that is shown."""

    place: Place
    text: str = ""
    name: str = ""
    content_type: str = ""
    content: bytes | None = None

    @property
    def is_blank(self) -> bool:
        """Tell whether there is nothing to see."""
        return self.content is None and not self.text.strip()


@dataclass
class Findings:
    """Everything that the walk brings back."""

    offers: Offers
    pieces: list[Piece] = field(default_factory=list[Piece])
    signatures: list[Found] = field(default_factory=list[Found])
    problems: list[Problem] = field(default_factory=list[Problem])
    sealed: int = 0
    opened: int = 0
    muted: list[tuple[Part, Place]] = field(default_factory=list[tuple[Part, Place]])
    """The other forms of texts that are shown: another reader may be shown these."""
    closed: list[Place] = field(default_factory=list[Place])
    """Where something sealed stayed closed: nobody knows what it would show."""
    protected: Headers | None = None
    """The headers inside the seal or the signature (RFC 9788, and the drafts before it)."""

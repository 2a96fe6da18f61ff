"""People who get mail from us."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Correspondent:
    """Somebody who gets mail: who, where, and the full fingerprint of their pinned key, if any."""

    name: str
    address: str
    fingerprint: str = ""

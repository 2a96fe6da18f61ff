"""How much of a stranger's letter is looked at; everything beyond is left alone, and the limit is
named."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds for one letter. They bound time and memory for hostile mail and are far above
    honest mail."""

    size: int = 50 * 1024 * 1024
    """Bytes of the whole letter."""
    parts: int = 1000
    """Parts of a letter, at all depths together; the same again inside each sealed piece."""
    depth: int = 50
    """Multiparts inside each other."""
    headers: int = 1000
    """Header fields of the letter; a part may have a tenth of it."""
    header: int = 64 * 1024
    """Bytes of one header field that are looked at."""
    header_block: int = 8 * 1024 * 1024
    """Bytes of all header fields together."""
    addresses: int = 1000
    """Addresses of one header field."""
    text: int = 5_000_000
    """Characters of the text that is shown."""
    html: int = 300_000
    """Characters of HTML that are laid out as text; beyond, only the bare words are taken."""
    sealed: int = 20
    """Sealed or signed pieces; each is a run of gpg."""
    layers: int = 4
    """Sealed or attached letters inside each other."""
    keys: int = 10
    """Offered keys; each is a run of gpg."""
    targets: int = 200
    """Targets that are named."""

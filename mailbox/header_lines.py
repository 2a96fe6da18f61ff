"""How the headers of our own mails are written: ASCII, CRLF, and never a word cut in two."""

import re
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import EmailPolicy, Policy
from typing import Any, cast

_PLAIN = re.compile(r"[!-~]{1,70}( [!-~]{1,70})*")


class _Words(BaseHeader):
    """A header of ASCII words that are never cut or encoded, broken into lines between words only.

    The standard library writes a message id of more than 78 characters as an encoded word, which
    ends a thread (cpython#79986), and begins the line of a long name with nothing.
    """

    max_count = None

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the value as it is."""
        kwds["decoded"] = value
        kwds["parse_tree"] = None

    def fold(self, *, policy: Policy) -> str:
        """The header in lines of at most 78 characters where its words allow that."""
        first, *words = str(self).split(" ")
        lines = [f"{self.name}: {first}"]
        for word in words:
            if len(lines[-1]) + 1 + len(word) <= 78:
                lines[-1] += f" {word}"
            else:
                lines.append(f" {word}")
        return policy.linesep.join(lines) + policy.linesep


def _registry() -> HeaderRegistry:
    standard = HeaderRegistry()
    ours = HeaderRegistry(default_class=cast("Any", _Words), use_default_map=False)
    for name in ("content-type", "content-disposition", "content-transfer-encoding", "mime-version"):
        ours.registry[name] = standard.registry[name]
    return ours


# How our mails are written; every value must be ASCII by then.
POLICY = EmailPolicy(linesep="\r\n", cte_type="7bit", header_factory=_registry())


def in_words(text: str) -> str:
    """Text as the words of a header: itself where that is plain, else encoded words (RFC 2047)."""
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="").replace("\n", "")


def named(name: str, address: str) -> str:
    """An address with the name of whose it is; quotes and commas in the name change nothing."""
    if not name:
        return address
    plain = _PLAIN.fullmatch(name) and "=?" not in name
    phrase = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if plain else in_words(name)
    return f"{phrase} <{address}>"

"""A letter as it arrived: its raw bytes, and accessors for its headers that never raise.

The raw bytes are the evidence and are never changed; everything else is derived from them again when
needed. Nothing here is decrypted or believed: every header is what a stranger wrote.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Self

from .addresses import Mailbox, mailboxes
from .limits import Limits
from .parts import Part, split
from .problem import Problem
from .words import decoded, shown, unfolded

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_NO_LIMITS = Limits()
_HEAD = 1024 * 1024  # bytes of a letter beyond the size limit that are looked at, for its headers


@dataclass(frozen=True)
class Letter:
    """A mail that is not yet judged. Make it with `Letter.read`."""

    raw: bytes
    root: Part
    problem: Problem | None = None
    """The limit that kept some of the letter from being looked at."""
    limits: Limits = _NO_LIMITS

    @classmethod
    def read(cls, raw: bytes, limits: Limits = _NO_LIMITS) -> Self:
        """Take a letter apart; never raises. Of a letter beyond the size limit only the headers are
        read."""
        if len(raw) <= limits.size:
            root, problem = split(raw, limits)
            return cls(raw, root, problem, limits)
        root, _ = split(raw[:_HEAD], replace(limits, parts=0))
        root.end = root.body_start
        return cls(raw, root, Problem.TOO_LARGE, limits)

    def header(self, name: str) -> str:
        """Give the first header of this (lower-case) name, decoded, in one line; empty when there is
        none."""
        return self.root.headers.text(name)

    def headers(self, name: str) -> tuple[str, ...]:
        """Give every header of this (lower-case) name, decoded, each in one line."""
        return tuple(unfolded(value) for value in self.root.headers.all(name))

    @cached_property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets.

        A letter without one gets `<sha256-…@no-message-id.invalid>`, made from its bytes, so that the
        same letter is known again when it is fetched twice.
        """
        return next(iter(message_ids(self.header("message-id"))), "") or self._made_message_id

    @cached_property
    def _made_message_id(self) -> str:
        bare = self.header("message-id").strip(" <>")
        if bare and len(bare) <= 900 and not re.search(r"[\s<>]", bare):
            return f"<{bare}>"
        return f"<sha256-{hashlib.sha256(self.raw).hexdigest()}@no-message-id.invalid>"

    @cached_property
    def from_mailboxes(self) -> tuple[Mailbox, ...]:
        """Every address of every From header."""
        return self._mailboxes("from")

    @property
    def sender(self) -> str | None:
        """The first address in From; None when there is none."""
        return self.from_mailboxes[0].address if self.from_mailboxes else None

    @property
    def has_one_sender(self) -> bool:
        """Tell whether From says one thing to every reader: one header, one address, nothing to
        guess."""
        if len(self.root.headers.all("from")) != 1 or len(self.from_mailboxes) != 1:
            return False
        return not self.from_mailboxes[0].is_ambiguous

    @cached_property
    def reply_to(self) -> tuple[str, ...]:
        """The addresses that answers are asked to go to."""
        return self._addresses("reply-to")

    @cached_property
    def to(self) -> tuple[str, ...]:
        """The addresses in To."""
        return self._addresses("to")

    @cached_property
    def cc(self) -> tuple[str, ...]:
        """The addresses in Cc."""
        return self._addresses("cc")

    @cached_property
    def delivered_to(self) -> tuple[str, ...]:
        """The addresses that mail servers say they delivered to: the place of a token behind a plus."""
        found = (self._addresses(name) for name in ("delivered-to", "x-original-to", "envelope-to"))
        return tuple(dict.fromkeys(address for addresses in found for address in addresses))

    @cached_property
    def in_reply_to(self) -> tuple[str, ...]:
        """The Message-IDs that this answers."""
        return message_ids(self.header("in-reply-to"))

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The Message-IDs of the thread, oldest first."""
        return message_ids(self.header("references"))

    @cached_property
    def subject(self) -> str:
        """The subject as it stands outside, which for a sealed letter is often a mere `...`."""
        return shown(self.header("subject"))

    @cached_property
    def date(self) -> datetime | None:
        """When the sender says it was written, aware; None when that cannot be read. A date without
        a zone is UTC."""
        try:
            written = parsedate_to_datetime(self.header("date")[:100])
            return written.replace(tzinfo=UTC) if written.tzinfo is None else written
        except Exception:
            return None

    def _mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        limit = self.limits.addresses
        values = (decoded(value, None) for value in self.root.headers.all(name)[:limit])
        return tuple(entry for value in values for entry in mailboxes(value, limit=limit))[:limit]

    def _addresses(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.address for entry in self._mailboxes(name)))


def message_ids(value: str) -> tuple[str, ...]:
    """Give the Message-IDs in a header, at most 100 of them, with their angle brackets."""
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(value)))[:100]

"""What mails are made of and what they become: the kinds, the desk that writes, labels, files, the text."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

_FULL_FINGERPRINT = re.compile(r"[0-9A-F]{40}")

Rule = Literal["host", "suffix", "network"]


class Kind(StrEnum):
    """Every mail that leaves; the value is the name of its template."""

    RECEIPT = "receipt"
    RECEIPT_PLAIN = "receipt_plain"
    OWNER_REPORT = "owner_report"
    OWNER_NOTICE = "owner_notice"
    HANDLER_REPORT = "handler_report"
    HANDLER_NOTICE = "handler_notice"
    IBD_COPY = "ibd_copy"
    ANSWER = "answer"
    ANSWER_PLAIN = "answer_plain"
    STATE_CHANGED = "state_changed"
    STATE_CHANGED_PLAIN = "state_changed_plain"
    FIXED = "fixed"
    FIXED_PLAIN = "fixed_plain"
    PROGRESS = "progress"
    PROGRESS_PLAIN = "progress_plain"
    TOLD = "told"
    TOLD_PLAIN = "told_plain"
    ASKED = "asked"
    ASKED_PLAIN = "asked_plain"
    EMBARGO = "embargo"
    PUBLICATION = "publication"
    ASSIGNED = "assigned"
    ASSIGNED_NOTICE = "assigned_notice"
    HANDED_OVER = "handed_over"
    HANDED_OVER_NOTICE = "handed_over_notice"
    MESSAGE = "message"
    MESSAGE_NOTICE = "message_notice"
    ORDER_REPLY = "order_reply"
    ORDER_NOTICE = "order_notice"
    RUNG = "rung"
    CONFIRM = "confirm"
    QUARANTINED = "quarantined"
    CANNOT_OPEN = "cannot_open"
    UNDELIVERED = "undelivered"
    HELD_COPY = "held_copy"
    HELD_COPY_NOTICE = "held_copy_notice"
    ALARM = "alarm"
    KEY_ALARM = "key_alarm"
    KEY_REFUSED = "key_refused"
    KEY_WARNING = "key_warning"


@dataclass(frozen=True, kw_only=True)
class Text:
    """A mail in words; ``outer_subject`` is the one that may stand in the unencrypted header."""

    subject: str
    body: str
    outer_subject: str

    def __post_init__(self) -> None:
        """Refuse a subject that is more than one printable line."""
        for subject in (self.subject, self.outer_subject):
            if not subject.isprintable():
                raise ValueError(f"{subject!r} cannot be a subject: it has control characters")


@dataclass(frozen=True)
class Label:
    """The same word in both languages."""

    nl: str
    en: str


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who writes: the organisation, its intake address and key, its published policy, its zone."""

    organisation: str
    address: str
    fingerprint: str
    policy_url: str
    zone: str

    def __post_init__(self) -> None:
        """Refuse a desk whose key nobody could check."""
        if not _FULL_FINGERPRINT.fullmatch(self.fingerprint):
            raise ValueError(
                f"{self.fingerprint!r} is no full fingerprint: give 40 hexadecimal digits,"
                " as gpg -K shows them, without spaces"
            )


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that travels with the mail; give a neutral name where identity must stay apart."""

    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class OnRequest:
    """A file that stays behind; it has no name here because names tell about people."""

    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Match:
    """Why a report went where it went: a target of the report fell under an owner's asset."""

    target: str
    asset: str
    rule: Rule


@dataclass(frozen=True, kw_only=True)
class AlarmLine:
    """One kind of alarm, how often it was raised, and the first of what it is about."""

    kind: str
    number: int
    about: str


@dataclass(frozen=True)
class MayBelong:
    """A ticket that a new one may belong to, and why, as a code."""

    ticket: str
    why: str

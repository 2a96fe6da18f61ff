"""What a message says about the ticket that it belongs to: our token, a number, the mail it answers.

A token stands in the address that the message went to, or in the Message-ID that it answers. Only that,
and a verified signature, prove anything; the rest is what anybody can write. All is read after
decryption: what stands inside the seal counts before what stands outside.
"""

import re
from collections.abc import Iterable
from itertools import islice

from ..mailbox.compose import wire_address
from ..mailbox.opening import Opened
from ..models.threads import Claims

TOKEN = r"([A-Za-z0-9_-]{32})"  # noqa: S105 - the shape of one
NUMBER = re.compile(r"(?<![A-Za-z0-9])CVD-[0-9]{4}-[0-9]{4,9}(?![0-9])", re.IGNORECASE)
_SCANNED = 200_000  # bytes of a bounce that are searched for the mail that it brings back
_MOST = 100


def claims_of(opened: Opened, our_address: str) -> Claims:
    """Everything that a message says about where it belongs."""
    letter, signature = opened.letter, opened.signature
    tokens = tokens_in(opened, our_address)
    if opened.bounced and opened.automatic:
        tokens = list(dict.fromkeys((*tokens, *(token for _, token in _ours_in(letter.raw, our_address)))))
    answered = _answered(opened)
    told = (
        *NUMBER.findall(opened.subject),
        *NUMBER.findall(letter.subject),
        *_numbers(answered, our_address),
    )
    return Claims(
        tokens=tuple(tokens),
        numbers=tuple(dict.fromkeys(number.upper() for number in told))[:_MOST],
        message_ids=answered,
        sender=letter.sender,
        subject=opened.subject,
        signer=signature.fingerprint if signature.verdict == "good" else None,
    )


def tokens_in(opened: Opened, our_address: str) -> list[str]:
    """Every token of ours that a message may carry, each once."""
    letter = opened.letter
    local, domain = _parts_of(our_address)
    to_us = re.compile(rf"{local}\+{TOKEN}@{domain}", re.IGNORECASE)
    our_message = re.compile(rf"\.{TOKEN}@{domain}>?\Z", re.IGNORECASE)
    addresses = (to_us.fullmatch(address) for address in (*letter.to, *letter.cc, *letter.delivered_to))
    answers = (our_message.search(message_id) for message_id in _answered(opened))
    return list(dict.fromkeys(found[1] for found in (*addresses, *answers) if found))


def ours_among(addresses: Iterable[str], our_address: str) -> tuple[bool, list[str]]:
    """Whether one of these addresses is ours, with or without a token, and the tokens that they carry."""
    local, domain = _parts_of(our_address)
    to_us = re.compile(rf"{local}(?:\+{TOKEN})?@{domain}", re.IGNORECASE)
    found = [match for match in map(to_us.fullmatch, addresses) if match]
    return bool(found), [match[1] for match in found if match[1]]


def returned_mail(opened: Opened, our_address: str, token: str) -> int | None:
    """The number of the mail of ours that a bounce brings back, if it tells under this token."""
    theirs = (mail for mail, found in _ours_in(opened.letter.raw, our_address) if found == token)
    return next(theirs, None)


def returned_tokens(opened: Opened, our_address: str) -> list[str]:
    """The tokens of the mails of ours that an automatic message brings back or is; they prove nothing."""
    return [token for _, token in _ours_in(opened.letter.raw, our_address)]


def answered_mails(opened: Opened, our_address: str) -> list[int]:
    """The numbers of the mails of ours that a message answers directly."""
    _, domain = _parts_of(our_address)
    ours = re.compile(rf"<[A-Za-z0-9-]{{1,40}}\.([0-9]{{1,12}})\.{TOKEN}@{domain}>", re.IGNORECASE)
    direct = (*opened.in_reply_to, *opened.letter.in_reply_to)
    return [int(found[1]) for found in map(ours.fullmatch, dict.fromkeys(direct)) if found]


def _ours_in(raw: bytes, our_address: str) -> list[tuple[int, str]]:
    """The mails of ours whose Message-ID stands anywhere in a bounce: their numbers and tokens."""
    _, domain = _parts_of(our_address)
    made = re.compile(rf"<[A-Za-z0-9-]{{1,40}}\.([0-9]{{1,12}})\.{TOKEN}@{domain}>", re.IGNORECASE)
    found = made.finditer(raw[:_SCANNED].decode("ascii", "replace"))
    return [(int(one[1]), one[2]) for one in islice(found, _MOST)]


def _answered(opened: Opened) -> tuple[str, ...]:
    """The Message-IDs that a message answers, those inside the seal first."""
    letter = opened.letter
    every = (*opened.in_reply_to, *letter.in_reply_to, *opened.references, *letter.references)
    return tuple(dict.fromkeys(every))


def _numbers(message_ids: tuple[str, ...], our_address: str) -> list[str]:
    """The ticket numbers in Message-IDs of ours, whatever their token."""
    ours = re.compile(rf"<({NUMBER.pattern})\.[^@<>]*@{_parts_of(our_address)[1]}>", re.IGNORECASE)
    return [found[1] for found in map(ours.fullmatch, message_ids) if found]


def _parts_of(address: str) -> tuple[str, str]:
    """The local part and the domain of our address, for a pattern."""
    local, _, domain = wire_address(address).rpartition("@")
    return re.escape(local), re.escape(domain)

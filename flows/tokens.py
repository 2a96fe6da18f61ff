"""Where a reply carries the token that we gave out: in the address it went to, or in the
Message-ID it answers. A ticket number is never looked at: anybody can guess one.
"""

import re

from ..mailbox.compose import wire_address
from ..mailbox.opening import Opened

TOKEN = r"([A-Za-z0-9_-]{32})"  # noqa: S105 - the shape of one


def tokens_in(opened: Opened, our_address: str) -> list[str]:
    """Every token of ours that a message may carry, each once."""
    letter = opened.letter
    local, _, domain = wire_address(our_address).rpartition("@")
    to_us = re.compile(rf"{re.escape(local)}\+{TOKEN}@{re.escape(domain)}", re.IGNORECASE)
    our_message = re.compile(rf"\.{TOKEN}@{re.escape(domain)}>?\Z", re.IGNORECASE)
    addresses = (to_us.fullmatch(address) for address in (*letter.to, *letter.cc, *letter.delivered_to))
    answered = (*opened.in_reply_to, *letter.in_reply_to, *opened.references, *letter.references)
    answers = (our_message.search(message_id) for message_id in answered)
    return list(dict.fromkeys(found[1] for found in (*addresses, *answers) if found))

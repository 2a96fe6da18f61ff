"""What becomes of a message: facts in, verdict out. No mail, no database.

The rules are tried in order and the first that applies decides; a message that none of them
understands becomes a ticket all the same, because a lost report is the failure that matters.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..mailbox.automatic import is_delivery_report
from ..mailbox.opening import Opened
from ..mailbox.returned import is_failure_in_words
from ..models.ledger import Verdict

#: By which rules automatic mail is a reply wherever it went, and by which only when it answers us
#: (RFC 3834, RFC 3464): machines that report to us use an empty return path and reports as well.
REPLIES = frozenset({"autoreply"})
REPLIES_TO_US = frozenset({"null-return-path", "report"})


@dataclass(frozen=True)
class Judged:
    """A verdict, why, and whether the sender may be answered automatically (RFC 3834)."""

    verdict: Verdict
    because: str
    may_be_answered: bool = True


@dataclass(frozen=True)
class Facts:
    """All that the verdict rests on."""

    opened: Opened
    names_a_thread: bool


def judge(opened: Opened, *, names_a_thread: bool) -> Judged:
    """Decide what becomes of an opened message.

    ``names_a_thread``: it is proved where it belongs, by a token that we gave out or by a verified
    signature of the ticket's reporter. A ticket number in a subject counts for nothing: anybody can
    guess it.
    """
    facts = Facts(opened, names_a_thread)
    verdict, because = next((verdict, why) for applies, verdict, why in RULES if applies(facts))
    return Judged(verdict, because, may_be_answered=not opened.automatic)


def _is_ours(facts: Facts) -> bool:
    return facts.opened.automatic_because == "loop"


def _is_bounce(facts: Facts) -> bool:
    """People, lists and platforms quote bounces: without a token only a mail system's own report is one."""
    opened = facts.opened
    if not facts.names_a_thread:
        return bool(opened.bounced) and is_delivery_report(opened.letter)
    in_words = not opened.was_decrypted and is_failure_in_words(opened.letter)
    return opened.automatic and (bool(opened.bounced) or in_words)


def _cannot_be_opened(facts: Facts) -> bool:
    opened = facts.opened
    return opened.problem is not None and not opened.text.strip() and not opened.attachments


def _is_automatic_reply(facts: Facts) -> bool:
    opened = facts.opened
    answers = (value.strip().lower() for value in opened.letter.headers("auto-submitted"))
    if opened.automatic_because in REPLIES or any(answer.startswith("auto-replied") for answer in answers):
        return True
    return facts.names_a_thread and opened.automatic_because in REPLIES_TO_US


def _is_on_a_thread(facts: Facts) -> bool:
    return facts.names_a_thread


def _is_new_and_sealed_to_us(facts: Facts) -> bool:
    """No machine seals an automatic reply to mail that we never sent."""
    return facts.opened.was_decrypted and not facts.names_a_thread and not _cannot_be_opened(facts)


def _is_automatic(facts: Facts) -> bool:
    return facts.opened.automatic


def _is_empty(facts: Facts) -> bool:
    return not facts.opened.text.strip() and not facts.opened.attachments


def _always(facts: Facts) -> bool:
    del facts
    return True


RULES: tuple[tuple[Callable[[Facts], bool], Verdict, str], ...] = (
    (_is_ours, Verdict.AUTOMATIC, "our own mail"),
    (_is_new_and_sealed_to_us, Verdict.OPENED_TICKET, "it was sealed to us"),
    (_is_bounce, Verdict.BOUNCED, "a delivery report"),
    (_is_automatic_reply, Verdict.AUTOMATIC, "an automatic reply"),
    (_cannot_be_opened, Verdict.QUARANTINED, "nothing of it can be opened"),
    (
        _is_on_a_thread,
        Verdict.JOINED_TICKET,
        "it carries a token that we gave out, or the reporter's signature",
    ),
    (_is_automatic, Verdict.UNCLEAR, "a machine sent it, and it may still be a report"),
    (_is_empty, Verdict.UNCLEAR, "it says nothing"),
    (_always, Verdict.OPENED_TICKET, "somebody wrote to us"),
)

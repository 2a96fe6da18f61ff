"""What an act that waits to be confirmed comes to, in words: the same in the mail and on the page."""

from collections.abc import Mapping
from typing import Any, cast

from .states import CLOSE_LABELS, CloseReason

Both = tuple[str, str]

#: Acts that need a second factor, in Dutch and English; one that has no words here goes by its code.
ACT_LABELS: Mapping[str, Both] = {
    "close": ("Sluiten", "Close"),
    "join: it belongs to another ticket": ("Bij een ander ticket voegen", "Join with another ticket"),
    "close-as-duplicates": ("Sluiten als dubbel", "Close as duplicates"),
    "merge": ("Bij een ander ticket voegen", "Join with another ticket"),
    "forget": (
        "Voorgoed wissen wat tickets zeggen en wie ze meldde",
        "Erase for good what tickets say and who reported them",
    ),
    "release the copy for the IBD": ("De kopie voor de IBD vrijgeven", "Release the copy for the IBD"),
}
FIELD_LABELS: Mapping[str, Both] = {
    "close_reason": ("Reden van sluiten", "Reason for closing"),
    "belongs_to": ("Hoort bij", "Belongs to"),
    "tickets": ("Tickets", "Tickets"),
}
#: What is no detail: what is done and by whom, what the reporter reads, and what was seen of a history.
APART = frozenset({"action", "who", "text", "seen"})


def act_label(action: str) -> Both:
    """What an act is called, in Dutch and English."""
    return ACT_LABELS.get(action, (action, action))


def details(wanted: Mapping[str, Any]) -> list[tuple[Both, Both]]:
    """Everything that an act takes besides its text, each as a name and a value in Dutch and English."""
    named = ((name, value) for name, value in wanted.items() if name not in APART)
    return [(_field(name), _value(name, value)) for name, value in named]


def _field(name: str) -> Both:
    spoken = name.replace("_", " ").capitalize()
    return FIELD_LABELS.get(name, (spoken, spoken))


def _value(name: str, value: Any) -> Both:
    if name == "close_reason":
        return CLOSE_LABELS[CloseReason(value)]
    written = ", ".join(cast(list[str], value)) if isinstance(value, list) else str(value)
    return written, written

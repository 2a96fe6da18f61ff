"""The sentences for every code that a status holds, so that page and API say the same.

Labels of states and close reasons come from models/states.py, which mails use as well.
"""

from collections.abc import Mapping

from flask_babel import LazyString, gettext, lazy_gettext  # pyright: ignore[reportUnknownVariableType] - partly untyped

from ..models.progress import FIXED as PROBLEM_FIXED
from ..models.progress import MEANINGS as PROBLEMS
from ..models.progress import Progress
from ..models.states import CLOSE_LABELS, STATE_LABELS, CloseReason, TicketState
from ..models.ticket import WaitingOn
from .language import language
from .status import Status

MEANINGS: Mapping[TicketState, LazyString] = {
    TicketState.RECEIVED: lazy_gettext("We have your report and are assessing it."),
    TicketState.INVALID: lazy_gettext("We could not confirm the problem with what we know so far."),
    TicketState.VALID: lazy_gettext("We have confirmed the problem that you reported."),
    TicketState.ACCEPTED: lazy_gettext("We are fixing the problem that you reported."),
    TicketState.DEFERRED: lazy_gettext("We have put your report on hold for now."),
    TicketState.CLOSED: lazy_gettext("We have finished handling your report."),
}

NEXT_STEPS: Mapping[TicketState, LazyString] = {
    TicketState.RECEIVED: lazy_gettext("Next, we check whether we can confirm the problem."),
    TicketState.INVALID: lazy_gettext(
        "Can you tell us more? Then we look again. Otherwise we will close your report."
    ),
    TicketState.VALID: lazy_gettext("Next, we decide how the problem will be solved, and let you know."),
    TicketState.ACCEPTED: lazy_gettext(
        "You will hear from us when it is fixed, or when the expected date changes."
    ),
    TicketState.DEFERRED: lazy_gettext("You will hear from us when we resume the work or close your report."),
    TicketState.CLOSED: lazy_gettext(
        "Nothing more needs to be done. If you write to us again, we open a new, linked report."
    ),
}

#: The same while the report is open and the problem is fixed.
FIXED = lazy_gettext("The problem that you reported has been fixed.")
AFTER_FIX = lazy_gettext("Next, we finish handling your report, and let you know when it is closed.")
#: The same of a closed report that was joined with another, while that is open.
JOINED = lazy_gettext("Your report is about a problem that we are handling.")
AFTER_JOINING = lazy_gettext(
    "We keep you informed of it. What you write to us is read by those who work on it."
)

WAITING: Mapping[WaitingOn, LazyString] = {
    WaitingOn.HANDLER: lazy_gettext("Us: we are handling your report"),
    WaitingOn.OWNER: lazy_gettext("The people who run the system"),
    WaitingOn.REPORTER: lazy_gettext("You: we need more information"),
    WaitingOn.SUPPLIER: lazy_gettext("The supplier of the system"),
    WaitingOn.IBD: lazy_gettext("The IBD, the security service of the municipalities"),
}

CREDITS: Mapping[str, LazyString] = {
    "unasked": lazy_gettext("You have not told us. Unless you ask for it, we do not name you."),
    "name": lazy_gettext("We name you as the discoverer, by your own name."),
    "pseudonym": lazy_gettext("We name you as the discoverer, by your pseudonym."),
    "none": lazy_gettext("We do not name you."),
}

CLOCKS: Mapping[str, LazyString] = {
    "response": lazy_gettext("Answer to the reporter"),
    "share": lazy_gettext("Copy to the IBD"),
    "update": lazy_gettext("Progress message to the reporter"),
    "fix": lazy_gettext("Promised fix"),
}


def clock_label(kind: str) -> str:
    """What a clock is called; one that a law starts, by its own name."""
    return str(CLOCKS.get(kind, kind.replace("_", " ")))


def state_label(state: TicketState) -> str:
    """What a state is called."""
    return _in_language(STATE_LABELS[state])


def meaning(status: Status) -> str:
    """Where the report stands, in a sentence."""
    if status.is_followed:
        return str(JOINED)
    return str(FIXED if status.is_open and status.fixed_at else MEANINGS[status.state])


def next_step(status: Status) -> str:
    """What comes next."""
    if status.is_followed:
        return str(AFTER_JOINING)
    return str(AFTER_FIX if status.is_open and status.fixed_at else NEXT_STEPS[status.state])


def problem_in_words(progress: Progress) -> str:
    """How a problem stands, to somebody whose report was a duplicate."""
    return _in_language(PROBLEM_FIXED if progress.fixed_at else PROBLEMS[progress.state])


def close_label(reason: CloseReason) -> str:
    """What a close reason is called."""
    return _in_language(CLOSE_LABELS[reason])


def zone_in_words(zone: str) -> str:
    """How a reader knows the zone that times are in."""
    return gettext("Dutch time") if zone == "Europe/Amsterdam" else zone


def _in_language(labels: tuple[str, str]) -> str:
    dutch, english = labels
    return dutch if language() == "nl" else english

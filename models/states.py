"""The whole life of a ticket. Nothing else in the program decides what may follow what.

States are the report-management states of Vultron; labels are what a reporter reads.
"""

from collections.abc import Mapping
from enum import StrEnum


class TicketState(StrEnum):
    """Where a report stands."""

    RECEIVED = "RECEIVED"
    INVALID = "INVALID"
    VALID = "VALID"
    ACCEPTED = "ACCEPTED"
    DEFERRED = "DEFERRED"
    CLOSED = "CLOSED"


class CloseReason(StrEnum):
    """Why a ticket was closed."""

    REMEDIATED = "remediated"
    MITIGATED = "mitigated"
    RISK_ACCEPTED = "risk_accepted"
    DUPLICATE = "duplicate"
    NOT_REPRODUCIBLE = "not_reproducible"
    NON_SECURITY = "non_security"
    OUT_OF_SCOPE = "out_of_scope"
    OTHER_OWNER = "other_owner"
    OBSOLETE = "obsolete"
    WITHDRAWN = "withdrawn"
    NO_RESPONSE = "no_response"
    SPAM = "spam"


S = TicketState

NEXT_STATES: Mapping[TicketState, frozenset[TicketState]] = {
    S.RECEIVED: frozenset({S.VALID, S.INVALID}),
    S.INVALID: frozenset({S.VALID, S.CLOSED}),
    S.VALID: frozenset({S.ACCEPTED, S.DEFERRED}),
    S.ACCEPTED: frozenset({S.DEFERRED, S.CLOSED}),
    S.DEFERRED: frozenset({S.ACCEPTED, S.CLOSED}),
    S.CLOSED: frozenset(),
}

#: Reasons for closing that say that there was a problem: what was not confirmed cannot end so.
OF_A_PROBLEM = frozenset({CloseReason.REMEDIATED, CloseReason.MITIGATED, CloseReason.RISK_ACCEPTED})
_TAKEN_UP = OF_A_PROBLEM - {CloseReason.RISK_ACCEPTED}
#: Why the reporter is not told of a state that closing passed through: in the same act they are told the end.
PASSED_THROUGH = "passed through as it was closed"


def reasons_to_close(state: TicketState) -> tuple[CloseReason, ...]:
    """The reasons for which a ticket in this state can be closed, in one act; none where it is closed."""
    if state is S.CLOSED:
        return ()
    unfit = OF_A_PROBLEM if state in (S.RECEIVED, S.INVALID) else frozenset[CloseReason]()
    return tuple(reason for reason in CloseReason if reason not in unfit)


def way_to_closed(state: TicketState, reason: CloseReason) -> tuple[TicketState, ...]:
    """The states that a ticket passes through, by :data:`NEXT_STATES`, as it is closed for a reason."""
    match state:
        case S.RECEIVED if reason is CloseReason.DUPLICATE:
            return (S.VALID, S.DEFERRED)
        case S.RECEIVED:
            return (S.INVALID,)
        case S.VALID:
            return (S.ACCEPTED,) if reason in _TAKEN_UP else (S.DEFERRED,)
        case _:
            return ()


#: What a reporter reads: Dutch, English.
STATE_LABELS: Mapping[TicketState, tuple[str, str]] = {
    S.RECEIVED: ("Ontvangen", "Received"),
    S.INVALID: ("Nog niet bevestigd", "Not confirmed"),
    S.VALID: ("Bevestigd", "Confirmed"),
    S.ACCEPTED: ("In behandeling", "Being fixed"),
    S.DEFERRED: ("Aangehouden", "On hold"),
    S.CLOSED: ("Afgesloten", "Closed"),
}

CLOSE_LABELS: Mapping[CloseReason, tuple[str, str]] = {
    CloseReason.REMEDIATED: ("opgelost", "remediated"),
    CloseReason.MITIGATED: ("gevolgen beperkt", "mitigated"),
    CloseReason.RISK_ACCEPTED: ("risico aanvaard", "risk accepted"),
    CloseReason.DUPLICATE: ("al eerder gemeld", "duplicate of an earlier report"),
    CloseReason.NOT_REPRODUCIBLE: ("niet te reproduceren", "not reproducible"),
    CloseReason.NON_SECURITY: ("geen beveiligingsprobleem", "not a security problem"),
    CloseReason.OUT_OF_SCOPE: ("valt buiten het beleid", "out of scope"),
    CloseReason.OTHER_OWNER: ("hoort bij een andere eigenaar", "belongs to another owner"),
    CloseReason.OBSOLETE: ("niet meer van toepassing", "obsolete"),
    CloseReason.WITHDRAWN: ("ingetrokken door de melder", "withdrawn by the reporter"),
    CloseReason.NO_RESPONSE: ("geen reactie van de melder", "no response from the reporter"),
    CloseReason.SPAM: ("geen melding", "not a report"),
}

#: What a reporter may expect next: Dutch, English.
NEXT_STEPS: Mapping[TicketState, tuple[str, str]] = {
    S.RECEIVED: ("Wij beoordelen uw melding.", "We assess your report."),
    S.INVALID: (
        "Wij hebben meer informatie van u nodig om verder te kunnen.",
        "We need more information from you to go on.",
    ),
    S.VALID: ("Wij bepalen hoe het wordt opgelost.", "We decide how it will be fixed."),
    S.ACCEPTED: ("Er wordt aan een oplossing gewerkt.", "A fix is being worked on."),
    S.DEFERRED: (
        "Het oplossen is uitgesteld; wij laten u weten wanneer het verdergaat.",
        "The fix is on hold; we will tell you when it goes on.",
    ),
    S.CLOSED: (
        "De melding is afgesloten. Een nieuw bericht opent een nieuwe melding.",
        "The report is closed. A new message opens a new report.",
    ),
}
#: The same for whoever reported what was joined with another ticket, while others work on that.
JOINED = (
    "Wij werken aan het probleem en houden u op de hoogte. Wat u ons nog schrijft, lezen wie eraan werken.",
    "We are working on the problem and keep you informed. What you still write to us is read by those who"
    " work on it.",
)

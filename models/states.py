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

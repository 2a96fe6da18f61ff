"""Commands in plain words, and moments as Dutch people write them."""

from collections.abc import Mapping
from typing import Any

import pytest
from meldbalie.flows.acting import Action
from meldbalie.flows.filled_in import as_order
from meldbalie.flows.order_labels import in_words
from meldbalie.mailbox.orders import read
from meldbalie.models.errors import Refused

REASONS: Mapping[str, str] = {"risico aanvaard": "risk_accepted"}


@pytest.mark.parametrize(
    ("text", "nl", "en"),
    [
        ("oplossing 15-12-2026", "opgelost: 15 december 2026", "fixed: 15 December 2026"),
        ("sluit risico aanvaard", "sluit het ticket: risico aanvaard", "close the ticket: risk accepted"),
        ("wacht op melder", "laat het ticket wachten op de melder", "let the ticket wait for the reporter"),
        ("ernst hoog", "zet de ernst op hoog", "set the severity to high"),
        ("assign Note Team", "wijs het ticket toe aan Note Team", "assign the ticket to Note Team"),
        ("milestone fix ready 2026-12-01", "noteer de mijlpaal fix ready 2026-12-01", "fix ready 2026-12-01"),
        ("not confirmed", "niet is bevestigd", "not confirmed"),
        ("note: x", "bewaar uw tekst bij het ticket", "keep your text on the ticket"),
        ("no date: x", "nog geen datum", "no date yet"),
    ],
)
def test_a_command_in_words(text: str, nl: str, en: str) -> None:
    said = in_words(read(text, REASONS)[0].spelled)

    assert nl in said.nl
    assert en in said.en


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("31-12-2026 17:00", "2026-12-31T17:00:00"),
        ("1-2-2027 09:30", "2027-02-01T09:30:00"),
        ("31-12-2026T17:00:30+01:00", "2026-12-31T17:00:30+01:00"),
        ("2026-12-31 17:00", "2026-12-31T17:00:00"),
    ],
)
def test_a_moment_is_taken_with_the_day_first(written: str, moment: str) -> None:
    order = as_order(asked(written))

    assert order.happened_at is not None
    assert order.happened_at.isoformat() == moment


@pytest.mark.parametrize(
    "written", ["31-12-2026", "31/12/2026 17:00", "31-13-2026 17:00", "12-31-2026 17:00"]
)
def test_other_moments_are_not_guessed(written: str) -> None:
    with pytest.raises(Refused):
        as_order(asked(written))


def asked(written: str) -> dict[str, Any]:
    return {
        "action": Action.MILESTONE.value,
        "who": "Balie",
        "milestone": "fix_ready",
        "happened_at": written,
    }

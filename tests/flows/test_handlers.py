"""Who may act at the desk is a handler, by name: also one whose address is the whole team's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from meldbalie.flows.acting import Action, Order
from meldbalie.flows.bulk_acts import each
from meldbalie.flows.handlers import handler_called
from meldbalie.flows.installation import Records, promise
from meldbalie.flows.proof import prove
from meldbalie.models.errors import Refused
from meldbalie.models.people import Correspondent
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.settings import Settings
from meldbalie.tests.flows.world import Present

TEAM = "balie@voorbeeld.example"
HANDLERS = [
    {"name": "Fatima", "address": TEAM, "fingerprint": "A" * 40},
    {"name": "Jeroen", "address": TEAM.capitalize(), "fingerprint": "B" * 40},
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Records]:
    """An installation with two handlers who share an address, so that mail about both leaves once."""
    database = Database(f"sqlite:///{tmp_path}/meldbalie.db")
    Base.metadata.create_all(database.engine)
    config = Settings.model_validate({"triage": HANDLERS})
    yield Records(config, database, promise(config), Present())
    database.close()


def test_two_handlers_who_share_an_address_are_two_people(place: Records) -> None:
    assert [person.name for person in place.promise.triage] == ["Fatima"]

    assert handler_called(place, "Fatima") == Correspondent("Fatima", TEAM, "A" * 40)
    assert handler_called(place, "Jeroen") == Correspondent("Jeroen", TEAM.capitalize(), "B" * 40)


def test_both_may_act_on_one_ticket_and_on_many(place: Records) -> None:
    for person in ("Fatima", "Jeroen"):
        assert prove(place, Order(action=Action.RELEASE, who=person), "") == ""
        said = each(place, ["CVD-2026-0999"], lambda on, ticket: "", person)
        assert str(said).startswith("refused: CVD-2026-0999: there is no ticket")


@pytest.mark.parametrize("name", ["Fatima Zahra", "fatima", "", TEAM])
def test_anybody_else_is_refused_and_told_who_may(place: Records, name: str) -> None:
    with pytest.raises(
        Refused,
        match=r"^there is no handler of that name, and nothing was done; handlers are: Fatima, Jeroen$",
    ):
        handler_called(place, name)


def test_where_there_are_none_it_says_so(place: Records) -> None:
    config = place.config.model_copy(update={"triage": []})
    nobody = Records(config, place.database, promise(config), place.clock)

    with pytest.raises(Refused, match="handlers are: nobody yet"):
        handler_called(nobody, "Fatima")

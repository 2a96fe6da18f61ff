"""The form as Prefect's page takes it: it checks what was filled in, the untouched fields included."""

import pytest
from meldbalie.flows.acting import DEEDS, Action
from meldbalie.flows.forms import FIELDS, Offer, form
from prefect.utilities.schema_tools.validation import validate

EVERYTHING = Offer(
    actions=tuple(Action),
    handlers=("Balie", "Hanna"),
    owners=("Webteam",),
    milestones=("fix_deployed",),
    templates=("thank you",),
    reasons_to_close=("spam",),
    asks_pin=True,
    has_kept_text=True,
    seen=8,
    stops="",
)


@pytest.mark.parametrize("action", list(Action))
def test_a_form_can_be_sent_with_all_but_action_and_person_untouched(action: Action) -> None:
    schema = form(EVERYTHING).model_json_schema()
    untouched = {name: field["default"] for name, field in schema["properties"].items() if "default" in field}

    assert validate({**untouched, "action": action.value, "who": "Balie"}, schema) == []


def test_every_field_that_an_action_makes_use_of_is_on_the_form() -> None:
    assert frozenset[str]().union(*(deed.uses for deed in DEEDS.values())) == set(FIELDS)

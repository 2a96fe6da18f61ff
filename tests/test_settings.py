"""Settings that would switch the promise off are refused, with the setting, its value and the way out."""

from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.installation import promise
from meldbalie.settings import (
    CONFIG_VARIABLE,
    Clocks,
    Desk,
    LastResort,
    Section,
    Settings,
    SettingsError,
    settings,
    use,
)
from pydantic import ValidationError

LAW = {"name": "early_warning", "hours": 24, "stops_on": "authority_warned"}
RUNGS = [{"share": 0.5, "tell": ["owner"]}]
INFINITE, NO_NUMBER = float("inf"), float("nan")


def refusal(section: type[Section], wrong: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        section(**wrong)
    (error,) = refused.value.errors()
    return f"{'.'.join(str(part) for part in error['loc'])} = {error['input']!r}: {error['msg']}"


@pytest.mark.parametrize("name", ["response", "share", "update", "fix"])
def test_a_clock_of_a_law_does_not_take_the_place_of_one_that_every_ticket_has(name: str) -> None:
    told = refusal(Clocks, {"statutory": [LAW | {"name": name}]})

    assert told.startswith(f"statutory.0.name = {name!r}: ")
    assert told.endswith(f"{name} is a clock of every ticket: give the clock of the law another name")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"statutory": [LAW, LAW | {"hours": 72}]}, "two clocks are called early_warning: give each a name"),
        (
            {"statutory": [LAW | {"starts_on": "authority_warned"}]},
            "it would never run: give another milestone",
        ),
        (
            {"statutory": [LAW | {"name": "Not a name!"}]},
            "statutory.0.name = 'Not a name!': String should match",
        ),
        ({"statutory": [LAW | {"name": "x" * 41}]}, "String should match"),
        ({"statutory": [LAW | {"name": "early_warning\n"}]}, "String should match"),
        ({"statutory": [LAW | {"stops_on": ""}]}, "statutory.0.stops_on = '': String should match"),
        ({"statutory": [LAW | {"hours": 10**9}]}, "less than or equal to 87600"),
        (
            {"ladders": {"respons": RUNGS}},
            "there is no clock respons: give the ladder of one of share, update, fix",
        ),
        (
            {"ladders": {"response": RUNGS}},
            "the ladder of the response clock is clocks.ladder: move its rungs",
        ),
        (
            {"response": "soon"},
            "response = 'soon': Value error, duration 'soon' is not understood; give a whole",
        ),
        ({"response": "0d"}, "response = '0d': Value error, give 1d at least and 3650d at most"),
        ({"response": "99999999d"}, "give 1d at least and 3650d at most"),
        ({"update": "0wd"}, "update = '0wd': Value error, give 1wd at least and 2600wd at most"),
        ({"share_minutes": 10**12}, "less than or equal to 525600"),
        ({"ladder": [{"share": 0.5, "tell": []}]}, "ladder.0.tell = []: List should have at least 1 item"),
        ({"ladder": [{"share": INFINITE, "tell": ["owner"]}]}, "less than or equal to 100"),
        ({"ladder": [{"share": NO_NUMBER, "tell": ["owner"]}]}, "ladder.0.share = nan: Input should be"),
        ({"ladder": [{"offset_hours": INFINITE, "tell": ["owner"]}]}, "less than or equal to 87600"),
        ({"ladder": [{"offset_hours": -INFINITE, "tell": ["owner"]}]}, "greater than or equal to -87600"),
        ({"ladder": [{"offset_hours": NO_NUMBER, "tell": ["owner"]}]}, "ladder.0.offset_hours = nan: Input"),
        ({"ladder": [RUNGS[0] | {"acknowledge_minutes": 10**12}]}, "less than or equal to 525600"),
        ({"sweep_minutes": INFINITE}, "sweep_minutes = inf: Input should be less than or equal to 1440"),
        ({"sweep_minutes": NO_NUMBER}, "sweep_minutes = nan: Input should be"),
        ({"sweep_minutes": 1e9}, "less than or equal to 1440"),
    ],
)
def test_clocks_that_would_never_tell_anybody_are_refused(wrong: dict[str, Any], why: str) -> None:
    assert why in refusal(Clocks, wrong)


@pytest.mark.parametrize("wrong", [{"after_minutes": INFINITE}, {"timeout_seconds": INFINITE}])
def test_the_last_resort_comes_in_time(wrong: dict[str, Any]) -> None:
    assert "less than or equal to" in refusal(LastResort, wrong)


def test_a_ladder_for_the_clock_of_a_law_and_two_rungs_of_one_moment_are_taken() -> None:
    clocks = {
        "response": "40bh",
        "statutory": [LAW, LAW | {"name": "notification", "hours": 72}],
        "ladder": RUNGS * 2,
        "ladders": {"early_warning": RUNGS, "share": RUNGS},
    }

    kept = promise(Settings(clocks=Clocks(**clocks)))

    assert [law.name for law in kept.statutory] == ["early_warning", "notification"]
    assert set(kept.ladders) == {"early_warning", "share"}


def test_a_wrong_clock_is_named_as_the_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "meldbalie.toml"
    file.write_text('[clocks]\nresponse = "0d"\n[clocks.ladders]\nanswer = []\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))

    with pytest.raises(SettingsError) as refused:
        use(file)
    settings.cache_clear()

    assert "clocks.response = '0d': Value error, give 1d at least" in str(refused.value)
    assert "clocks.ladders = {'answer': []}: Value error, there is no clock answer" in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "dank", "nl": "Beste {naam}"}, "{naam} is filled in by nothing: give one of {reference}"),
        ({"name": "dank", "en": "a {"}, "write a brace that is meant as one"),
        ({"name": "dank"}, "the text 'dank' is empty"),
        ({"name": "", "nl": "Dank."}, "at least 1 character"),
        ({"name": "a\nb", "nl": "Dank."}, "should match pattern"),
    ],
)
def test_a_text_for_answers_that_could_not_be_filled_in_is_refused(wrong: dict[str, str], why: str) -> None:
    told = refusal(Desk, {"answers": [wrong]})

    assert told.startswith("answers.0")
    assert why in told


def test_two_texts_for_answers_are_not_called_the_same() -> None:
    text = {"name": "dank", "nl": "Dank."}

    assert "two texts are called 'dank'" in refusal(Desk, {"answers": [text, text]})

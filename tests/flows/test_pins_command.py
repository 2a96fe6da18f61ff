"""`meldbalie pins`: handlers get a PIN, by hand or from a program; nobody else does."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from meldbalie.__main__ import main
from meldbalie.flows import installation as installations
from meldbalie.flows.installation import Records, open_records, utc_now
from meldbalie.flows.operator.check_proof import second_factor
from meldbalie.models.pins import MOST_FAILURES, check_pin
from meldbalie.settings import CONFIG_VARIABLE, settings, use

PIN = "kat 73 op"

Say = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """An installation with two handlers, who prove themselves by PIN."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "meldbalie.toml"))
    monkeypatch.setenv("MELDBALIE_DESK__SECOND_FACTOR", "pin")
    forget()
    assert main(["init", "--organisation", "Gemeente Zwolle", "--address", "cvd@zwolle.example"]) == 0
    handlers = (("Fatima de Boer", "fatima"), ("Jeroen", "jeroen"))
    with (tmp_path / "meldbalie.toml").open("a") as file:
        for name, short in handlers:
            file.write(f'\n[[triage]]\nname = "{name}"\naddress = "{short}@zwolle.example"\n')
    forget()
    opened = open_records(use(Path("meldbalie.toml")), clock=utc_now)
    yield opened
    opened.database.close()
    forget()


def forget() -> None:
    """What a new process would not know."""
    settings.cache_clear()
    installations.records.cache_clear()


def pins(*words: str, typed: str | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> int:
    forget()
    if typed is not None and monkeypatch is not None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return main(["pins", *words])


def tried(place: Records, pin: str, person: str = "Fatima de Boer") -> str:
    with place.database.unit_of_work() as session:
        return check_pin(session, person, pin, now=place.clock())


def test_a_pin_is_read_as_a_line(place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    assert pins("set", "Fatima de Boer", "--stdin", typed=f"{PIN}\nmore\n", monkeypatch=monkeypatch) == 0

    assert tried(place, PIN) == ""
    said = capsys.readouterr()
    assert "Fatima de Boer has a PIN" in said.out
    assert PIN not in said.out + said.err


def test_it_is_asked_twice_without_echo(place: Records) -> None:
    done = on_a_terminal(f"{PIN}\n", f"{PIN}\n")

    assert done.startswith("PIN of Fatima de Boer:")
    assert "the same again:" in done
    assert "Fatima de Boer has a PIN" in done
    assert PIN not in done
    assert tried(place, PIN) == ""


def test_two_different_ones_change_nothing(place: Records) -> None:
    done = on_a_terminal(f"{PIN}\n", f"{PIN}!\n")

    assert "two different PINs" in done
    assert PIN not in done
    assert "has no PIN" in tried(place, PIN)


def on_a_terminal(*typed: str) -> str:
    """What `pins set` writes on a terminal where each answer is typed when it is asked for."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "meldbalie", "pins", "set", "Fatima de Boer"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        answers, seen = list(typed), ""
        while True:
            try:
                read = os.read(ours, 4096).decode()
            except OSError:  # the other end has closed
                break
            seen += read
            if read.rstrip().endswith(":") and answers:
                os.write(ours, answers.pop(0).encode())
        process.wait(60)
    os.close(ours)
    return seen


def test_without_a_terminal_it_says_how_to_go_on(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert pins("set", "Jeroen", typed=PIN, monkeypatch=monkeypatch) == 1

    assert "--stdin" in capsys.readouterr().err


def test_only_handlers_get_one(place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    assert pins("set", "Fatima", "--stdin", typed=PIN, monkeypatch=monkeypatch) == 1

    assert "no handler called 'Fatima'; handlers are: Fatima de Boer, Jeroen" in capsys.readouterr().err


def test_one_that_is_too_easy_is_refused_and_not_repeated(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert pins("set", "Jeroen", "--stdin", typed="98765432\n", monkeypatch=monkeypatch) == 1

    assert "would be guessed first" in (said := capsys.readouterr().err)
    assert "98765432" not in said


def test_the_list_tells_who_has_one_and_who_is_locked_out(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    pins("set", "Fatima de Boer", "--stdin", typed=PIN, monkeypatch=monkeypatch)
    tried(place, "wrong one")
    capsys.readouterr()
    assert pins("list") == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(", 1 wrong in a row")

    for _ in range(MOST_FAILURES - 1):
        tried(place, "wrong one")
    until = datetime.now(ZoneInfo("Europe/Amsterdam")) + timedelta(minutes=15)
    assert pins("list") == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Fatima de Boer: since ")
    assert f"locked until {until:%a %d %b}"[:22] in first
    assert second == "Jeroen: no PIN"


def test_a_pin_of_who_is_no_handler_any_more_is_shown_and_can_be_taken_away(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    pins("set", "Jeroen", "--stdin", typed=PIN, monkeypatch=monkeypatch)
    file = Path("meldbalie.toml")
    file.write_text(file.read_text().replace('name = "Jeroen"', 'name = "Jos"'))
    capsys.readouterr()

    assert pins("list") == 0
    assert "Jeroen: has a PIN and is no handler any more" in capsys.readouterr().out
    assert pins("remove", "Jeroen") == 0
    assert pins("remove", "Jeroen") == 1
    assert "Jeroen has no PIN" in capsys.readouterr().err


def test_it_says_when_a_pin_is_not_asked_for(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setenv("MELDBALIE_DESK__SECOND_FACTOR", "link")

    assert pins("set", "Jeroen", "--stdin", typed=PIN, monkeypatch=monkeypatch) == 0
    assert 'while desk.second_factor is "link"' in capsys.readouterr().out


def found(place: Records) -> list[tuple[str, str]]:
    return [(each.state.value, each.what) for each in second_factor(settings(), place.database)]


def test_the_check_names_who_could_not_prove_who_they_are(
    place: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pins("set", "Jeroen", "--stdin", typed=PIN, monkeypatch=monkeypatch) == 0
    assert found(place) == [("warning", "Fatima de Boer cannot close, join or release, for want of a PIN")]

    assert pins("set", "Fatima de Boer", "--stdin", typed=PIN, monkeypatch=monkeypatch) == 0
    assert found(place) == [("ok", "2 handlers can prove who they are, by pin")]

    monkeypatch.setenv("MELDBALIE_DESK__SECOND_FACTOR", "link")
    forget()
    assert [(state, "for want of a pinned key" in what) for state, what in found(place)] == [
        ("warning", True)
    ] * 2

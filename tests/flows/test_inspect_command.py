"""``meldbalie inspect`` looks within the limits that the intake has."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from meldbalie.__main__ import main
from meldbalie.settings import CONFIG_VARIABLE, settings

LETTER = b"From: renee@melder.example\r\nSubject: lek\r\n\r\n" + b"x" * 2000


@pytest.fixture
def inspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Generator[Callable[[str | None], dict[str, Any]]]:
    """What the command says of a letter under a configuration; ``None`` is that there is no file."""
    letter = tmp_path / "letter.eml"
    letter.write_bytes(LETTER)

    def inspect(configuration: str | None) -> dict[str, Any]:
        file = tmp_path / "meldbalie.toml"
        if configuration is not None:
            file.write_text(configuration)
        monkeypatch.setenv(CONFIG_VARIABLE, str(file))
        settings.cache_clear()
        assert main(["inspect", str(letter)]) == 0
        return json.loads(capfdbinary.readouterr().out)

    yield inspect
    settings.cache_clear()


def test_a_letter_is_inspected_within_the_configured_limits(
    inspected: Callable[[str | None], dict[str, Any]],
) -> None:
    assert inspected("[limits]\nsize = 1024\n")["problem"] == "too_large"
    assert inspected("[limits]\nsize = 4096\n")["problem"] is None


def test_a_letter_is_inspected_without_any_configuration(
    inspected: Callable[[str | None], dict[str, Any]],
) -> None:
    assert inspected(None)["text"] == "x" * 2000

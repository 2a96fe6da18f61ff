"""The stylesheet: readable colours, and nothing from elsewhere."""

import re
from pathlib import Path

import pytest
from meldbalie.webhooks import pages

CSS = (Path(pages.__file__).parent / "static" / "meldbalie.css").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", CSS))
FOR_TEXT, FOR_MARKS = 4.5, 3.0


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(COLOURS[one]), luminance(COLOURS[other])))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        ("ink", "paper"),
        ("ink", "ground"),
        ("ink-soft", "paper"),
        ("ink-soft", "ground"),
        ("link", "paper"),
        ("link", "ground"),
        ("brand", "paper"),
        ("brand", "ground"),
        ("paper", "brand"),
        ("on-brand", "brand"),
        ("good", "good-ground"),
        ("paper", "good"),
        ("bad", "bad-ground"),
    ],
)
def test_text_can_be_read(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= FOR_TEXT


@pytest.mark.parametrize(
    ("colour", "ground"),
    [("mark", "paper"), ("hold", "paper"), ("link", "paper"), ("good", "paper"), ("accent", "brand")],
)
def test_marks_and_outlines_can_be_seen(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= FOR_MARKS


def test_every_named_colour_exists_and_nothing_is_fetched() -> None:
    assert set(re.findall(r"var\(--([a-z-]+)\)", CSS)) == {*COLOURS, "gap"}
    assert "url(" not in CSS
    assert "@import" not in CSS

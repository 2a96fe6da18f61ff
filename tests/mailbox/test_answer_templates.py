"""Texts that handlers choose: filled in, in both languages, and never with a gap."""

import re
from datetime import date

import pytest
from meldbalie.mailbox.answer_templates import BUILT_IN, PLACEHOLDERS, AnswerTemplate, checked

FIX = date(2026, 12, 24)
ORGANISATION = "Gemeente Voorbeeld"


def filled(template: AnswerTemplate, fix_on: date | None = FIX) -> str:
    return template.filled(reference="CVD-2026-0042", organisation=ORGANISATION, fix_on=fix_on)


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda one: one.name)
def test_a_text_of_ours_is_in_both_languages_and_has_no_gap(template: AnswerTemplate) -> None:
    text = filled(template)

    assert checked(template.nl)
    assert checked(template.en)
    assert "{" not in text
    assert "CVD-2026-0042" in text
    assert max(map(len, text.splitlines())) <= 72
    assert text.index("uw melding") < text.index("your report")
    if template.needs_fix_date:
        assert "donderdag 24 december 2026" in " ".join(text.split())
        assert "Thursday 24 December 2026" in " ".join(text.split())
    else:
        assert text == filled(template, fix_on=None)


def test_what_a_municipality_needs_is_there() -> None:
    assert [template.name for template in BUILT_IN] == [
        "thank you, with a date",
        "being investigated, no date yet",
        "more information needed",
        "not in our systems",
        "known already",
    ]
    assert [template.needs_fix_date for template in BUILT_IN] == [True, False, False, False, False]


def test_a_text_may_be_in_one_language_and_keeps_its_own_lines() -> None:
    template = AnswerTemplate("kort", nl="Dank.\n\n- {organisation}\n- {{zo}}")

    assert filled(template) == "Dank.\n\n- Gemeente Voorbeeld\n- {zo}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Beste {naam}", "{naam} is filled in by nothing"),
        ("{reference.__class__}", "{reference.__class__} is filled in by nothing"),
        ("{reference!r}", "{reference!r} is filled in by nothing"),
        ("{organisation:>9999999}", "{organisation:>9999999} is filled in by nothing"),
        ("{reference[0]}", "is filled in by nothing"),
        ("{}", "{} is filled in by nothing"),
        ("{0}", "{0} is filled in by nothing"),
        ("a {", "write a brace that is meant as one as {{ or }}"),
        ("a }", "write a brace that is meant as one as {{ or }}"),
    ],
)
def test_a_placeholder_that_nothing_fills_in_is_refused_by_its_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        checked(text)


def test_what_can_be_filled_in_is_taken() -> None:
    text = " ".join(f"{{{name}}}" for name in PLACEHOLDERS) + " {{}}"

    assert checked(text) == text

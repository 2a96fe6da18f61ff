"""Where a reply may carry the token that we gave out, and where a token counts for nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.flows.tokens import tokens_in
from meldbalie.mailbox.compose import new_message_id
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.opening import Opened
from meldbalie.models.links import new_token

CVD = "cvd@voorbeeld.example"
TOKEN, OTHER = new_token(), new_token()
OURS = new_message_id("CVD-2026-0001.7", TOKEN, "voorbeeld.example")


def tokens(*headers: str, **inside: tuple[str, ...]) -> list[str]:
    raw = "\n".join(("From: sanne@onderzoek.example", *headers, "", "Hello")).encode()
    letter = Letter.read(raw)
    opened = Opened(letter=letter, in_reply_to=letter.in_reply_to, references=letter.references)
    return tokens_in(replace(opened, **inside), CVD)


@pytest.mark.parametrize(
    "header",
    [
        f"To: cvd+{TOKEN}@voorbeeld.example",
        f"To: CVD desk <cvd+{TOKEN}@voorbeeld.example>, somebody@elders.example",
        f"To: CVD+{TOKEN}@Voorbeeld.Example",
        f"Cc: cvd+{TOKEN}@voorbeeld.example",
        f"Delivered-To: cvd+{TOKEN}@voorbeeld.example",
        f"X-Original-To: cvd+{TOKEN}@voorbeeld.example",
        f"In-Reply-To: {OURS}",
        f"In-Reply-To:\n {OURS}",
        f"References: <1@elders.example> {OURS} <2@elders.example>",
    ],
)
def test_a_token_is_found_wherever_a_reply_carries_it(header: str) -> None:
    assert tokens(header) == [TOKEN]


def test_a_token_that_is_sealed_with_the_headers_is_found() -> None:
    assert tokens("In-Reply-To: <hidden@elders.example>", in_reply_to=(OURS,)) == [TOKEN]
    assert tokens(references=(OURS,)) == [TOKEN]


def test_a_token_that_stands_outside_the_seal_is_found_beside_what_stands_inside() -> None:
    assert tokens(f"In-Reply-To: {OURS}", in_reply_to=("<1@elders.example>",)) == [TOKEN]


def test_each_token_is_found_once_and_the_address_comes_first() -> None:
    both = (f"References: {OURS}", f"In-Reply-To: {OURS}", f"To: cvd+{OTHER}@voorbeeld.example")

    assert tokens(*both) == [OTHER, TOKEN]


@pytest.mark.parametrize(
    "header",
    [
        "To: cvd@voorbeeld.example",
        "Subject: Re: [CVD-2026-0001] XSS",
        f"Subject: {TOKEN}",
        f"From: cvd+{TOKEN}@voorbeeld.example",
        f"To: {TOKEN}@voorbeeld.example",
        f"To: cvd+{TOKEN}@elders.example",
        f"To: cvd+{TOKEN}@voorbeeld.example.elders.example",
        f"To: xcvd+{TOKEN}@voorbeeld.example",
        f"To: cvd+{TOKEN}x@voorbeeld.example",
        f"To: cvd+{TOKEN[:-1]}@voorbeeld.example",
        f"To: cvd+{TOKEN}@voorbeeldxexample",
        "In-Reply-To: <CVD-2026-0001.7.none@voorbeeld.example>",
        "In-Reply-To: <CVD-2026-0001@voorbeeld.example>",
        f"In-Reply-To: <CVD-2026-0001.7.{TOKEN}@elders.example>",
        f"In-Reply-To: <CVD-2026-0001.7.{TOKEN}@voorbeeld.example.elders.example>",
        f"In-Reply-To: <{TOKEN}@voorbeeld.example>",
    ],
)
def test_what_anybody_can_guess_or_write_elsewhere_is_no_token(header: str) -> None:
    assert tokens(header) == []


def test_a_flood_of_message_ids_is_read_to_a_limit() -> None:
    flood = " ".join(new_message_id("CVD-2026-0001.7", new_token(), "voorbeeld.example") for _ in range(5000))

    assert len(tokens(f"References: {flood}")) <= 100


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r\n"), max_size=200))
def test_no_header_is_too_strange_to_be_searched(value: str) -> None:
    assert tokens(f"To: {value}", f"In-Reply-To: {value}", f"References: {value}") == []

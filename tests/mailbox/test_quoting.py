"""Quotes are folded for reading, each is counted, and nothing else of a text is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.mailbox.quoting import FEWEST, folded

QUOTE = "> a\n> b\n>\n> c\n> d"


def fold(text: str) -> str:
    return folded(text, lambda lines: f"[{lines}]")


FOLDED = {
    "a quote below": (f"Thanks.\n\n{QUOTE}\n", "Thanks.\n\n[5]\n"),
    "a quote above": (f"{QUOTE}\n\nThanks.", "[5]\n\nThanks."),
    "with who wrote it": (f"Yes.\n\nOn Mon, 23 Nov 2026, CVD wrote:\n{QUOTE}", "Yes.\n\n[6]"),
    "in Dutch": (f"Ja.\n\nOp ma 23 nov 2026 om 10:00 schreef CVD <cvd@x.example>:\n\n{QUOTE}", "Ja.\n\n[7]"),
    "in German": (f"Ja.\n\nAm 23.11.2026 um 10:00 schrieb CVD:\n{QUOTE}", "Ja.\n\n[6]"),
    "over two lines": (
        f"Ja.\n\nOp ma 23 nov 2026 om 10:00 schreef CVD\n<cvd@x.example>:\n{QUOTE}",
        "Ja.\n\n[7]",
    ),
    "two quotes with answers between": (
        f"{QUOTE}\nFirst.\n{QUOTE}\nSecond.",
        "[5]\nFirst.\n[5]\nSecond.",
    ),
    "Outlook": (
        "See below.\n\nFrom: CVD <cvd@x.example>\nSent: Monday\nTo: Sanne\nSubject: Re: XSS\n\nDear\n\nSanne",
        "See below.\n\n[8]",
    ),
    "Outlook in Dutch, with its line": (
        "Zie onder.\n\n____________\nVan: CVD\nVerzonden: nu\nAan: Sanne\nOnderwerp: XSS\n\nA",
        "Zie onder.\n\n[7]",
    ),
    "an original message": ("Ok.\n-----Original Message-----\nFrom: a\nTo: b\n\nText", "Ok.\n[5]"),
    "an original message in Dutch": ("Ok.\n-----Oorspronkelijk bericht-----\nVan: a\nx\ny", "Ok.\n[4]"),
    "a forwarded one": (
        "Fyi.\n---------- Forwarded message ---------\nFrom: a\nDate: b\n\nText",
        "Fyi.\n[5]",
    ),
}
WHOLE = {
    "no quote": "Hello\n\nI found it.\n",
    "a short quote": "> is it fixed?\nYes.\n> when?\nToday.",
    "a signature": "Yes.\n\n-- \nSanne\nFrom: here to there",
    "somebody who writes about writing": "Otto wrote:\nit is broken\nall the time\nreally\nit is",
    "the output of a shell": "$ cat <<X\n> a\nX",
    "headers of a web answer": "HTTP/1.1 200 OK\nDate: now\nServer: x\nFrom: y",
    "two headers": "From: my machine\nTo: yours\nit goes wrong\nalways\nand ever",
    "a line of dashes": "--------\na\nb\nc\nd\ne",
    "nothing": "",
}


@pytest.mark.parametrize(("text", "shown"), FOLDED.values(), ids=FOLDED.keys())
def test_what_is_quoted_is_folded_into_one_line_that_counts_it(text: str, shown: str) -> None:
    assert fold(text) == shown


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_what_is_no_quote_or_a_short_one_stays(text: str) -> None:
    assert fold(text) == text


def test_a_block_of_headers_in_the_middle_of_a_proof_stays() -> None:
    proof = "I sent:\nFrom: a@x.example\nTo: b@x.example\nSubject: hi\n\nand it was relayed"

    assert fold(proof) == proof


LINES = st.sampled_from(
    [
        "",
        ">",
        "> x",
        "text",
        "On Monday A wrote:",
        "From: a",
        "To: b",
        "Subject: c",
        "-----Original Message-----",
        "____________",
    ]
)


@given(st.lists(LINES, max_size=40))
def test_every_line_is_shown_or_counted(lines: list[str]) -> None:
    shown = fold("\n".join(lines)).split("\n")

    counted = sum(int(line[1:-1]) if line.startswith("[") else 1 for line in shown)
    assert counted == max(len(lines), 1)
    assert all(int(line[1:-1]) >= FEWEST for line in shown if line.startswith("["))


@pytest.mark.parametrize(
    "line", ["> " * 200_000, "On " * 200_000 + "wrote:", "schreef " * 100_000, "-" * 300_000]
)
def test_long_lines_cost_little(line: str) -> None:
    assert fold(f"{line}\nx") == f"{line}\nx"


def test_many_lines_cost_little() -> None:
    assert fold("\n" * 100_000) == "\n" * 100_000
    assert fold("schreef A:\n\n" * 30_000).count("\n") == 60_000
    assert fold(">\n" * 100_000) == "[100000]\n"

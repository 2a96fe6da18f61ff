"""What a reply orders, and which words of it are its writer's own: nothing is guessed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.mailbox.order_words import is_nearly, read_day
from meldbalie.mailbox.orders import WORDS, Command, Unclear, Verb, read
from meldbalie.mailbox.own_words import own_words, passed_on
from meldbalie.mailbox.scrub import Identity

REASONS = {"remediated": "remediated", "opgelost": "remediated", "risk accepted": "risk_accepted"}
PEOPLE = Identity(names=("Hanna Verhoeven", "Jan de Boer"), addresses=("balie@voorbeeld.example",))
DAY = date(2026, 12, 15)
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("fix 2026-12-15", [Command(Verb.FIX, on=DAY)]),
        ("\n\nFIX 15-12-2026.\n\nDank.", [Command(Verb.FIX, on=DAY, words="Dank.")]),
        ("oplossing 15 december 2026", [Command(Verb.FIX, on=DAY)]),
        ("fix 15 Dec. 2026", [Command(Verb.FIX, on=DAY)]),
        ("no date: not known", [Command(Verb.NO_DATE, "not known")]),
        ("geen datum\n\nnog niet\nbekend", [Command(Verb.NO_DATE, "nog niet bekend")]),
        ("geen datum: x\n\ntekst", [Command(Verb.NO_DATE, "x", words="tekst")]),
        ("accept", [Command(Verb.ACCEPT)]),
        ("Accepteer.", [Command(Verb.ACCEPT)]),
        ("confirm: seen", [Command(Verb.CONFIRM, words="seen")]),
        ("niet bevestigd\n\nomdat", [Command(Verb.INVALIDATE, words="omdat")]),
        ("hold: later", [Command(Verb.DEFER, words="later")]),
        ("on hold: later", [Command(Verb.DEFER, words="later")]),
        ("no-date: not known", [Command(Verb.NO_DATE, "not known")]),
        ("sluiten opgelost", [Command(Verb.CLOSE, "remediated")]),
        ("note: only for us", [Command(Verb.NOTE, words="only for us")]),
        ("Notitie: hij is een bekende", [Command(Verb.NOTE, words="hij is een bekende")]),
        ("close remediated", [Command(Verb.CLOSE, "remediated")]),
        ("sluit risk-accepted: besloten", [Command(Verb.CLOSE, "risk_accepted", words="besloten")]),
        ("assign to Team Zaaksysteem", [Command(Verb.ASSIGN, "Team Zaaksysteem")]),
        ("wijs toe aan Webteam", [Command(Verb.ASSIGN, "Webteam")]),
        ("ernst hoog", [Command(Verb.RATE, "high")]),
        (VECTOR, [Command(Verb.RATE, VECTOR)]),
        (f"severity {VECTOR}", [Command(Verb.RATE, VECTOR)]),
        ("wacht op leverancier: patch", [Command(Verb.WAIT, "supplier", words="patch")]),
        ("wait for ibd", [Command(Verb.WAIT, "ibd")]),
        ("milestone fix deployed 15 december 2026", [Command(Verb.MILESTONE, "fix_deployed", DAY)]),
        ("mijlpaal fix_ready", [Command(Verb.MILESTONE, "fix_ready")]),
        ("release", [Command(Verb.RELEASE)]),
        ("ask: which one?\nand why?", [Command(Verb.ASK, words="which one?\nand why?")]),
        ("vraag\n\nwelke?", [Command(Verb.ASK, words="welke?")]),
        ("Intern: hij belt\n\naccept", [Command(Verb.NOTE, words="hij belt\naccept")]),
        ("internal:\nfix 2026-12-15", [Command(Verb.NOTE, words="fix 2026-12-15")]),
        ("message: fix komt\naccept", [Command(Verb.TELL, words="fix komt\naccept")]),
        (
            "accept\nseverity high\n\nWij maken het.",
            [Command(Verb.ACCEPT, words="Wij maken het."), Command(Verb.RATE, "high")],
        ),
        ("accept\nfix 2026-12-15\nDank.", [Command(Verb.ACCEPT), Command(Verb.FIX, on=DAY, words="Dank.")]),
        ("We fixed it.", [Command(Verb.TELL, words="We fixed it.", is_implied=True)]),
        (
            "Embargo's helpen ons allebei zeer.",
            [Command(Verb.TELL, words="Embargo's helpen ons allebei zeer.", is_implied=True)],
        ),
        ("Wat is er mis?", [Command(Verb.TELL, words="Wat is er mis?", is_implied=True)]),
        ("Beste melder,", [Command(Verb.TELL, words="Beste melder,", is_implied=True)]),
    ],
)
def test_what_is_ordered(text: str, commands: list[Command]) -> None:
    assert list(read(text, REASONS)) == commands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "fix",
        "fix 15/12/2026",
        "fix 2026-13-01",
        "fix 15 december",
        "fix tomorrow",
        "fxi 2026-12-15",
        "Fix is on its way.",
        "clsoe remediated",
        "close",
        "close because it is done",
        "accept the risk",
        "acept",
        "not confirmd",
        "release the copy",
        "wait",
        "wait for Godot",
        "severity",
        "severity huge",
        "assign",
        "milestone",
        "ask him which",
        "vraag hem eens",
        "intern",
        "intern overleg nodig",
        "Interne notitie: x",
        "[intern] x",
        "intren: the reporter calls all the time, every day",
        "intern; de melder",
        "message",
        "accept\nfxi 2026-12-15",
        "accept\naccept",
        "ask: x\n\nfix 2026-12-15",
        "fix 2026-12-15\nno date: x",
        "release\n\ntext",
        "Hallo,\n\nfix 2026-12-15",
        "Hallo,\n\nintern: x",
        "Hallo,\n\naccept",
        "fix 2026-12-15\n\nDank.\n\nclose remediated",
        "opgelost",
        "Risk-accepted.",
        "kritiek!",
        "sluiten",
        "Gesloten",
        "on hold, we wait",
        "fixed 2026-12-15",
        "join CVD-2026-0003",
        "embargo: tot kerst",
        "notitie hij is een bekende",
        "Dank.\n\nNotitie: hij is een bekende",
        "Dag,\n**intern:** geheim",
        "Hoi,\n* intern: geheim",
        "Hallo,\n_intern_: geheim",
        "Hoi,\n__Intern__ geheim",
        "Hallo\n\n- intern: Jan weet meer",
        "Hoi,\n[intern] geheim",
        "Hoi,\n(intern): geheim",
        "Hoi,\n<intern> geheim",
        "1. intern: geheim",
        "Hoi,\n2) Internal: geheim",
        "Hoi,\n\u2022 intern\u00a0: geheim",
        "Hoi,\n\u200bintern\uff1a geheim",
        "Hoi,\nintern - geheim",
        "Hoi,\nintern; geheim",
        "Hoi,\n\n## Intern\n\ngeheim",
        "Hoi,\nInterne notitie: geheim",
        "Hoi,\n**NOTE:** geheim",
        "Hoi,\n- notitie voor Jan: geheim",
        "fix 2026-12-15\n\nDank.\n\n**intern:** geheim",
        "ask: welke?\n* intern: geheim",
    ],
)
def test_what_is_no_whole_command_is_nothing(text: str) -> None:
    with pytest.raises(Unclear) as refusal:
        read(text, REASONS)
    assert refusal.value.why.nl
    assert refusal.value.why.en


@pytest.mark.parametrize(
    "line",
    [
        "We gebruiken intern een proxy.",
        "Intern gebruiken wij een proxy.",
        "- intern gebruiken wij een proxy",
        "interne systemen zijn niet geraakt",
        "- interne scan: wij vonden niets meer",
        "* internal systems were not reached",
        "(intern bekend als het zaaksysteem)",
        '"Intern" en "extern": dat zijn twee velden.',
        "`note` is de parameter",
        "- notitieveld: leeg",
        "[internet] is weg",
        "Uw notitie: dank",
    ],
)
def test_an_ordinary_sentence_is_no_note(line: str) -> None:
    text = f"Beste melder,\n\n{line}\n\nWij lossen het op."
    assert read(text, REASONS) == (Command(Verb.TELL, words=text, is_implied=True),)


def test_behind_message_everything_is_prose() -> None:
    text = "hallo\n**intern:** geheim"
    assert read(f"message: {text}", REASONS) == (Command(Verb.TELL, words=text),)


@given(
    st.text(st.sampled_from("abcfix interncloseaccept:.,\n 2026-15"), max_size=60),
    st.sampled_from(list(WORDS)),
)
def test_no_text_slips_through_after_the_word_of_a_command(text: str, word: str) -> None:
    for typed in (f"{word} {text}", f"{word}: {text}", text):
        try:
            commands = read(typed, REASONS)
        except Unclear:
            continue
        assert not (commands[0].is_implied and typed.casefold().split()[0].strip(":.,") in WORDS)


def test_days() -> None:
    assert [read_day(text) for text in ("2026-12-15", "15-12-2026", "15 mrt 2027", "1 March 2027")] == [
        DAY,
        DAY,
        date(2027, 3, 15),
        date(2027, 3, 1),
    ]
    assert {read_day(text) for text in ("", "15", "12/15/2026", "31-2-2026", "15 foo 2026", "2026")} == {None}


def test_mistypes() -> None:
    assert all(is_nearly(*pair) for pair in (("clsoe", "close"), ("acept", "accept"), ("fxi", "fix")))
    assert not any(is_nearly(*pair) for pair in (("close", "close"), ("hoi", "hold"), ("beste", "bericht")))


@pytest.mark.parametrize(
    "around",
    [
        "{}\n\n-- \nHanna Verhoeven\nAdviseur\n",
        "{}\n\nMet vriendelijke groet,\n\nHanna Verhoeven\nAdviseur.\n\nDisclaimer: dit is geheim.\n",
        "{}\n\nBedankt,\nHanna\n",
        "{}\n\nKind regards,\nTeam CVD\n",
        "{}\n\nJan de Boer\n",
        "{}\n\nVerstuurd vanaf mijn iPhone\n",
        "{}\n\nGet Outlook for Android\n",
        "{}\n\nDit bericht is vertrouwelijk.\nGeheim.\n",
        "{}\n\nOp do 19 nov 2026 om 14:05 schreef CVD <cvd@x.example>:\n> geheim\n",
        "{}\n\nOp do 19 nov 2026 om 14:05 schreef CVD\n<cvd@x.example>:\n\n> geheim\n",
        "{}\n\nOp 19 nov. 2026 om 14:05 heeft CVD <cvd@x.example> het volgende geschreven:\n\n> geheim\n",
        "{}\n\nCVD schreef op 19-11-2026 14:05:\ngeheim\n",
        "{}\n\nOp 19 nov 2026 om 14:05 heeft CVD <cvd@x.example> het volgende geschreven:\n\ngeheim\n",
        "{}\n\n-----Oorspronkelijk bericht-----\nVan: CVD\ngeheim\n",
        "{}\nVan: CVD\nVerzonden: donderdag\nAan: Hanna\nOnderwerp: geheim\n\ngeheim\n",
        "{}\n\n________________________________\nFrom: CVD\nSent: x\nTo: y\nSubject: z\n\ngeheim\n",
        "On 19 Nov 2026, at 14:05, CVD wrote:\n> geheim\n> meer\n\n{}\n",
        "> geheim\n\n{}\n\n  > geheim\n",
    ],
)
def test_own_words(around: str) -> None:
    said = "Wij maken het.\n\nTweede alinea."
    assert own_words(around.format(said), PEOPLE) == said


@pytest.mark.parametrize(
    "line",
    [
        "Op 19 november schreef u over het zoekformulier:",
        "Op 19 november 2026 om 14:05 schreef u:",
        "On 19 November you wrote about the form:",
        "Op 19 november schreef u\nover het zoekformulier:",
        "Op 19-11-2026 schreef de leverancier:",
    ],
)
def test_what_a_sentence_introduces_is_not_cut_off_but_doubted(line: str) -> None:
    text = f"Beste melder,\n\n{line}\ndat is een terecht punt.\n\nWij lossen het op."

    assert own_words(text, PEOPLE) == text
    assert passed_on(text, PEOPLE).doubts == ("attribution",)
    quoted = text.replace("dat is", "> dat is")
    assert own_words(quoted, PEOPLE) == "Beste melder,\n\n\nWij lossen het op."


@pytest.mark.parametrize(
    "text",
    [
        "Wij maken het.\n\nHanna Verhoeven\nAdviseur informatiebeveiliging\nGemeente Voorbeeld",
        "Wij maken het.\n\n- Hanna\nAdviseur",
        "Hanna,\n\nkijk jij ernaar?",
    ],
)
def test_what_stands_under_a_name_may_tell_whose_it_is(text: str) -> None:
    assert "signed_above" in passed_on(own_words(text, PEOPLE), PEOPLE).doubts


def test_thanks_may_be_what_somebody_says() -> None:
    text = "Beste melder,\n\nDank.\n\nWij maken het"
    assert own_words(text, PEOPLE) == text
    assert passed_on(text, PEOPLE).doubts


def test_nobody_who_works_here_is_named() -> None:
    passed = passed_on(
        "Zie http://x.example; Hanna of balie@voorbeeld.example weet het, 030-123 45 67.", PEOPLE
    )
    assert passed.text == "Zie http://x.example; […] of […] weet het, […]."
    assert (passed.was_changed, passed.doubts) == (True, ())
    assert passed_on("Wij kijken.\n\nHanna Appelboom", PEOPLE).doubts == ("sign_off",)
    assert passed_on("Hanna", PEOPLE).doubts == ("nothing_left",)
    assert "common_name" in passed_on("Jan weet meer.", PEOPLE).doubts
    assert "quote" in passed_on("tekst\n(English text below.)\nmeer", PEOPLE).doubts
    assert passed_on("Gewone tekst, met 192.0.2.1 en 2026-12-15.", PEOPLE) == passed_on(
        "Gewone tekst, met 192.0.2.1 en 2026-12-15.", Identity()
    )


@given(st.text(st.sampled_from("Hana Op schreef:\n>-@.1van "), max_size=200))
def test_every_text_is_read(text: str) -> None:
    passed_on(own_words(text, PEOPLE), PEOPLE)

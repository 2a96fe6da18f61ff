"""What every mail promises, in both languages, and what it must never say."""

import re
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2 import UndefinedError
from meldbalie.mailbox import errors, scrub_doubt, wording
from meldbalie.mailbox.compose import UnfitDraft
from meldbalie.mailbox.key_intake import RefusalReason
from meldbalie.mailbox.problem import Problem
from meldbalie.mailbox.scrub_identity import Kind as ScrubKind
from meldbalie.mailbox.wording import SUBJECTS, alarm_in_words, day_in_words, explained, in_words, word
from meldbalie.mailbox.wording_desk import Confirm
from meldbalie.mailbox.wording_facts import (
    Alarm,
    Answer,
    AnswerPlain,
    CannotOpen,
    Facts,
    HandlerNotice,
    HandlerReport,
    IbdCopy,
    Message,
    MessageNotice,
    OwnerNotice,
    OwnerReport,
    Quarantined,
    Receipt,
    ReceiptPlain,
    Rung,
    Signature,
    StateChanged,
    StateChangedPlain,
    Undelivered,
)
from meldbalie.mailbox.wording_keys import KeyAlarm, KeyRefused, KeyWarning
from meldbalie.mailbox.wording_orders import OrderNotice, OrderReply
from meldbalie.mailbox.wording_parts import (
    AlarmLine,
    Attachment,
    Desk,
    Kind,
    Label,
    Match,
    MayBelong,
    OnRequest,
    Text,
)
from meldbalie.mailbox.wording_progress import Progress, ProgressPlain
from meldbalie.mailbox.wording_told import (
    Asked,
    AskedPlain,
    Assigned,
    AssignedNotice,
    Embargo,
    Fixed,
    FixedPlain,
    HandedOver,
    HandedOverNotice,
    HeldCopy,
    HeldCopyNotice,
    Publication,
    Told,
    ToldPlain,
)
from meldbalie.models.alarms import AlarmKind

TICKET = "CVD-2026-0042"
ARRIVED = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)
DUE = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
ARRIVED_NL = "zaterdag 21 november 2026 om 14:05 (Nederlandse tijd)"
ARRIVED_EN = "Saturday 21 November 2026 at 14:05 (Dutch time, UTC+1)"
DUE_NL = "donderdag 26 november 2026 om 14:05 (Nederlandse tijd)"
DUE_EN = "Thursday 26 November 2026 at 14:05 (Dutch time, UTC+1)"
LINK = "https://melden.voorbeeld.example/s/kQ3vY0b2Zk1m9xX-7Lr_TgWcA4nPqS5hDfJu8eBiOvM"
RUN = "http://127.0.0.1:4200/runs/flow-run/6f1e0d9c-0000-4000-8000-000000000000"
KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
KEY_SHOWN = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CANARY = "Kanarie-Van-Der-Plant"
REPORT = f"curl 'https://zaak.voorbeeld.example/?id=1%27--'   # {'x' * 90}\n\n  {CANARY}"

DESK = Desk(
    organisation="Gemeente Voorbeeld",
    address="cvd@voorbeeld.example",
    fingerprint=KEY,
    policy_url="https://voorbeeld.example/cvd",
    zone="Europe/Amsterdam",
)
FILE = Attachment(name="bewijs.png", media_type="image/png", size=1234, sha256=HASH)
MATCH = Match(target="zaak.voorbeeld.example", asset="voorbeeld.example", rule="suffix")
STATE = Label("Bevestigd", "Confirmed")
NEXT = Label("De eigenaar maakt een oplossing.", "The owner makes a fix.")

RECEIPT = Receipt(
    ticket=TICKET, received_at=ARRIVED, due_at=DUE, link=LINK, occasion="reported", earlier=None
)
RECEIPT_PLAIN = ReceiptPlain(**vars(RECEIPT), key_problem=None)
OWNER_REPORT = OwnerReport(ticket=TICKET, due_at=DUE, matches=(MATCH,), report=REPORT, attachments=(FILE,))
HANDLER_REPORT = HandlerReport(
    ticket=TICKET,
    occasion="reported",
    earlier=None,
    received_at=ARRIVED,
    due_at=DUE,
    channel="mail",
    was_encrypted=True,
    signature="unknown_key",
    key_problem="changed_key",
    owner="Team Zaaksysteem",
    matches=(MATCH,),
    may_belong_to=(MayBelong("CVD-2026-0007", "number"),),
    run_url=RUN,
    report=REPORT,
    attachments=(FILE,),
)
IBD_COPY = IbdCopy(
    ticket=TICKET,
    received_at=ARRIVED,
    targets=("zaak.voorbeeld.example", "192.0.2.7"),
    severity="CVSS 9.8 (critical)",
    report="id=1%27-- gevonden door [removed: name]",
    on_request=(OnRequest(media_type="image/png", size=1234, sha256=HASH),),
    removed={"name": 2, "phone": 1},
    reporter=None,
)
ANSWER = Answer(
    ticket=TICKET,
    answer="Dank.\n\n    Wij filteren de invoer.",
    expected_fix_on=date(2026, 12, 24),
    no_date_because=None,
)
STATE_CHANGED = StateChanged(
    ticket=TICKET, state=STATE, next_step=NEXT, reason="Nagebootst.", closed_because=None
)
PROGRESS = Progress(
    ticket=TICKET,
    state=STATE,
    meaning=NEXT,
    is_closed=False,
    closed_because=None,
    expected_fix_on=date(2026, 12, 24),
    fixed_on=None,
    was_fixed_in_error=False,
    embargo_ends_at=None,
    embargo_is_lifted=False,
    publish_on=None,
)
TOLD = Told(ticket=TICKET, message="Dank.\n\n    Wij kijken in de logs.")
ASKED = Asked(ticket=TICKET, message="Welke browser was het?\n\n    En welke versie?")
EMBARGO = Embargo(ticket=TICKET, ends_at=DUE, was=ARRIVED, reason="De leverancier vraagt tijd.")
PUBLICATION = Publication(ticket=TICKET, on=date(2026, 12, 24), reason="Wij schrijven een bericht.")
FIXED = Fixed(ticket=TICKET, fixed_on=None, expected_fix_on=date(2026, 12, 24))
HELD_COPY = HeldCopy(ticket=TICKET, run_url=RUN, doubts=("sign_off", "a_new_one"), copy=IBD_COPY)
ASSIGNED = Assigned(ticket=TICKET, run_url=RUN, by="Fatima", reason="Jij kent het systeem.")
MESSAGE = Message(
    ticket=TICKET,
    sender="reporter",
    came_on="CVD-2026-0043",
    joined_with="CVD-2026-0041",
    doubt="other_address",
    ordered=("fix 2026-12-24",),
    received_at=ARRIVED,
    run_url=RUN,
    is_of_another=False,
    message=REPORT,
    attachments=(),
)
MESSAGE_NOTICE = MessageNotice(
    ticket=TICKET,
    sender="owner",
    came_on=None,
    joined_with=None,
    doubt=None,
    ordered=(),
    received_at=ARRIVED,
    run_url=RUN,
)
RUNG = Rung(
    ticket=TICKET,
    words="reminder",
    acknowledge=None,
    acknowledge_by=None,
    owner="Team Zaaksysteem",
    clock="response",
    share=0.8,
    due_at=DUE,
    is_breached=False,
    run_url=RUN,
)
ORDER_REPLY = OrderReply(
    ticket=TICKET,
    outcome="refused",
    has_seen=False,
    ordered=(Label("neem het in behandeling", "take it on"),),
    why="unclear",
    because=Label("het is dubbel", "it is ambiguous"),
    notes=("clock_runs",),
    due_at=DUE,
    joined_with="CVD-2026-0041",
    told="Dank.\n\n    Wij kijken in de logs.",
)
QUARANTINED = Quarantined(entry=17, problem="tampered", received_at=ARRIVED)
UNDELIVERED = Undelivered(ticket=TICKET, purpose=Kind.IBD_COPY, recipient="ibd", reason="no_usable_key")
KEY_ALARM = KeyAlarm(ticket=TICKET, party="reporter", problem="changed_key", run_url=RUN)
KEY_REFUSED = KeyRefused(ticket=TICKET, problem="expired")
KEY_WARNING = KeyWarning(
    ticket=None, holder="IBD", fingerprint=KEY, problem="expires", ends_at=DUE, is_yours=False
)
CONFIRM = Confirm(
    ticket=TICKET,
    who="Fatima de Boer",
    act=Label("Sluiten", "Close"),
    details=((Label("Reden van sluiten", "Reason for closing"), Label("opgelost", "remediated")),),
    reason="Nagebouwd.\n\n    En weg.",
    asked_at=ARRIVED,
    confirm_by=DUE,
    link="https://melden.voorbeeld.example/c/kQ3vY0b2Zk1m9xX-7Lr_TgWcA4nPqS5h",
)
ALARM = Alarm(
    found_at=ARRIVED,
    lines=(
        AlarmLine(kind="not_in_ledger", number=3, about="17, 18, 19"),
        AlarmLine(kind="newer_kind", number=1, about="x"),
    ),
)
EVERY: tuple[Facts, ...] = (
    RECEIPT,
    RECEIPT_PLAIN,
    OWNER_REPORT,
    OwnerNotice(ticket=TICKET, due_at=DUE),
    HANDLER_REPORT,
    HandlerNotice(
        ticket=TICKET, occasion="reported", earlier=None, due_at=DUE, may_belong_to=(), run_url=RUN
    ),
    IBD_COPY,
    ANSWER,
    AnswerPlain(ticket=TICKET),
    STATE_CHANGED,
    StateChangedPlain(ticket=TICKET, state=STATE, next_step=NEXT),
    FIXED,
    FixedPlain(**vars(FIXED)),
    PROGRESS,
    ProgressPlain(ticket=TICKET),
    TOLD,
    ToldPlain(ticket=TICKET),
    ASKED,
    AskedPlain(ticket=TICKET),
    EMBARGO,
    PUBLICATION,
    ASSIGNED,
    AssignedNotice(ticket=TICKET, run_url=RUN),
    HandedOver(ticket=TICKET, owner="Netwerkteam"),
    HandedOverNotice(ticket=TICKET),
    HELD_COPY,
    HeldCopyNotice(ticket=TICKET, run_url=RUN),
    MESSAGE,
    MESSAGE_NOTICE,
    ORDER_REPLY,
    OrderNotice(ticket=TICKET, outcome="filed", has_seen=True),
    RUNG,
    QUARANTINED,
    CannotOpen(received_at=ARRIVED, largest_megabytes=50),
    UNDELIVERED,
    KEY_ALARM,
    KEY_REFUSED,
    KEY_WARNING,
    CONFIRM,
    ALARM,
)
UNSAID = {  # a number that they do not have, what another fact makes needless
    (Kind.QUARANTINED, "ticket"),
    (Kind.CANNOT_OPEN, "ticket"),
    (Kind.KEY_WARNING, "ticket"),
    (Kind.ALARM, "ticket"),
    (Kind.ANSWER, "no_date_because"),
    (Kind.RUNG, "acknowledge_by"),
    (Kind.HANDLER_REPORT, "occasion"),
    (Kind.HANDLER_NOTICE, "occasion"),
}
CONTENT_FREE = tuple(facts for facts in EVERY if not facts.is_sealed)


def by_kind(facts: Facts) -> str:
    return facts.kind


def flowing(text: str) -> str:
    """The text as one line, so that a sentence is found wherever it was wrapped."""
    return " ".join(text.split())


def dutch(text: Text) -> str:
    return flowing(text.body.split("-" * 72)[0])


def english(text: Text) -> str:
    return flowing(text.body.split("-" * 72)[1])


def below(text: Text) -> str:
    return text.body.split("-" * 72)[2]


# --- every mail ------------------------------------------------------------------------------


def test_every_kind_has_facts_a_subject_and_a_template() -> None:
    assert {facts.kind for facts in EVERY} == set(Kind) == set(SUBJECTS)
    for kind in Kind:
        assert (Path(wording.__file__).parent / "templates" / f"{kind}.txt").is_file()


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_dutch_comes_first_and_english_says_the_same_facts(facts: Facts) -> None:
    text = word(facts, DESK)

    assert text.body.startswith(("(English text below.)", "TLP:AMBER\n\n(English text below.)"))
    assert "Met vriendelijke groet," in dutch(text)
    assert "Kind regards," in english(text)
    found = re.compile(r"CVD-\d+-\d+|https?://\S+|\d{2}:\d{2}|[0-9A-F]{4}(?: [0-9A-F]{4}){9}|\d+%")
    assert sorted(found.findall(dutch(text))) == sorted(found.findall(english(text)))


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_dates_stand_in_words_in_both_languages(facts: Facts) -> None:
    text = word(facts, DESK)

    for name, nl, en in (
        ("received_at", ARRIVED_NL, ARRIVED_EN),
        ("found_at", ARRIVED_NL, ARRIVED_EN),
        ("due_at", DUE_NL, DUE_EN),
        ("expected_fix_on", "donderdag 24 december 2026", "Thursday 24 December 2026"),
    ):
        if hasattr(facts, name):
            assert nl in dutch(text)
            assert en in english(text)


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_prose_is_wrapped_and_leaves_no_template_marks(facts: Facts) -> None:
    body = word(facts, DESK).body

    for line in body.splitlines():
        assert len(line) <= 72 or line.startswith(("    ", "> ")), line
    assert not re.search(r"[{}%]{2}|\x02|\x03|\bNone\b|\bTrue\b|\bFalse\b|\n\n\n", body)
    assert body.endswith("\n")
    assert not body.endswith("\n\n")


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_the_ticket_number_is_all_that_varies_in_a_subject(facts: Facts) -> None:
    text = word(facts, DESK)

    label = SUBJECTS[facts.kind]
    number = f"[{TICKET}] " if facts.ticket else ""
    assert text.subject == f"{number}{label.nl} / {label.en}"
    assert text.subject.isascii()


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_the_outer_subject_of_a_sealed_mail_tells_only_the_number(facts: Facts) -> None:
    text = word(facts, DESK)

    if facts.is_sealed:
        assert text.outer_subject == f"[{TICKET}] Versleuteld bericht / Encrypted message"
    else:
        assert text.outer_subject == text.subject


@pytest.mark.parametrize("facts", EVERY, ids=by_kind)
def test_a_fact_that_is_missing_is_an_error(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [field.name for field in fields(facts)]
    for missing in names:
        kept = [field for field in fields(facts) if field.name != missing]
        monkeypatch.setattr(wording, "fields", lambda _, kept=kept: kept)
        if (facts.kind, missing) in UNSAID:
            continue
        with pytest.raises((UndefinedError, TypeError)):
            word(facts, DESK)


def test_none_where_a_value_belongs_is_an_error() -> None:
    with pytest.raises(TypeError, match="cannot stand in a mail"):
        word(replace(RECEIPT, link=None), DESK)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is no date"):
        word(replace(RECEIPT, due_at=None), DESK)  # type: ignore[arg-type]


def test_only_sealed_kinds_take_free_text() -> None:
    free = {"report", "message", "answer", "reason", "no_date_because", "attachments", "targets"}

    for facts in CONTENT_FREE:
        names = {field.name for field in fields(facts)}
        if facts.kind is Kind.UNDELIVERED:
            names.remove("reason")  # a code, see below
        assert not names & free


@pytest.mark.parametrize("field", ["problem", "recipient", "reason"])
def test_what_does_not_look_like_a_code_stays_out_of_a_content_free_mail(field: str) -> None:
    facts = QUARANTINED if field == "problem" else UNDELIVERED

    text = word(replace(facts, **{field: f"{CANARY} <x@y.example>"}), DESK)

    assert CANARY not in text.body + text.subject + text.outer_subject


@pytest.mark.parametrize("ticket", ["CVD-2026-0042\r\nBcc: x@y.example", "CVD-1", "", "C V", "x"])
def test_what_is_no_ticket_number_cannot_reach_a_header(ticket: str) -> None:
    with pytest.raises(ValueError, match="is no ticket number"):
        AnswerPlain(ticket=ticket)


@pytest.mark.parametrize("subject", ["a\r\nBcc: x", "a\x00", "a\u2028b", "a\x1b[2J"])
def test_a_subject_is_one_printable_line(subject: str) -> None:
    for name in ("subject", "outer_subject"):
        with pytest.raises(ValueError, match="cannot be a subject"):
            Text(**({"subject": "x", "outer_subject": "x", "body": ""} | {name: subject}))


@pytest.mark.parametrize("fingerprint", ["", "0123ABCD", KEY.lower(), KEY_SHOWN, KEY + "\n"])
def test_a_desk_without_a_full_fingerprint_is_refused(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="no full fingerprint"):
        replace(DESK, fingerprint=fingerprint)


# --- the promises of the policy ----------------------------------------------------------------

PROMISES = [
    (
        "krijgt u ons antwoord. Daarin staat voor welke datum wij een oplossing verwachten",
        "you will have our answer. It gives the date by which we expect a solution",
    ),
    (
        "of waarom wij die datum nog niet kunnen noemen",
        "or the reason why we cannot name that date yet",
    ),
    (
        "Deze automatische bevestiging is dat antwoord nog niet.",
        "This automatic confirmation is not yet that answer.",
    ),
    ("Wij behandelen uw melding vertrouwelijk.", "We treat your report confidentially."),
    (
        "Wij delen uw persoonlijke gegevens niet met anderen zonder uw toestemming, tenzij dat"
        " nodig is om een wettelijke verplichting na te komen.",
        "We do not share your personal data with others without your consent, unless that is"
        " necessary to meet a legal obligation.",
    ),
    ("Wij houden u op de hoogte van de voortgang.", "We keep you informed of the progress."),
    ("vermelden als ontdekker?", "as the discoverer?"),
    (
        "Wij delen elke melding met de Informatiebeveiligingsdienst voor gemeenten (IBD)",
        "We share every report with the IBD",
    ),
    (
        "Uw persoonlijke gegevens gaan niet mee, tenzij u daarvoor toestemming geeft.",
        "Your personal data do not go with it, unless you consent to that.",
    ),
    (
        "Houdt u zich aan de voorwaarden hieronder? Dan ondernemen wij geen juridische stappen"
        " over uw melding.",
        "If you keep to the conditions below, we will not take legal action over your report.",
    ),
    (
        "Wij proberen het probleem zo snel mogelijk op te lossen.",
        "We try to solve the problem as soon as possible.",
    ),
    (
        "Wij worden graag betrokken bij een eventuele publicatie over het probleem, nadat het is opgelost.",
        "We would like to be involved in any publication about the problem, after it has been solved.",
    ),
    ("Misbruik het probleem niet.", "Do not misuse the problem."),
    (
        "Download niet meer gegevens dan nodig is en verwijder geen gegevens van anderen.",
        "Do not download more data than necessary, and do not delete data of others.",
    ),
    (
        "Deel het probleem niet met anderen tot het is opgelost.",
        "Do not share the problem with others until it has been solved.",
    ),
    (
        "Wis alle vertrouwelijke gegevens die u hebt ontvangen.",
        "Erase all confidential data that you have obtained.",
    ),
    (
        "geen aanvallen op fysieke beveiliging, geen social engineering, geen spam, geen brute"
        " force en geen applicaties van derden.",
        "attacks on physical security, social engineering, spam, brute force or applications of"
        " third parties.",
    ),
    (
        "Gebruik geen technieken die de beschikbaarheid of de bruikbaarheid van het systeem of"
        " van de dienstverlening verminderen.",
        "Do not use techniques that reduce the availability or the usability of the system or of"
        " the service.",
    ),
    ("Bewaar hem goed en geef hem aan niemand", "Keep it safe and give it to nobody"),
]


@pytest.mark.parametrize("facts", [RECEIPT, RECEIPT_PLAIN], ids=by_kind)
@pytest.mark.parametrize(("nl", "en"), PROMISES)
def test_the_receipt_makes_each_promise_of_the_policy(facts: Facts, nl: str, en: str) -> None:
    text = word(facts, DESK)

    assert nl in dutch(text)
    assert en in english(text)


@pytest.mark.parametrize("facts", [RECEIPT, RECEIPT_PLAIN], ids=by_kind)
def test_the_receipt_gives_number_link_key_and_policy(facts: Facts) -> None:
    text = word(facts, DESK)

    for fact in (TICKET, LINK, KEY_SHOWN, DESK.policy_url):
        assert fact in dutch(text)
        assert fact in english(text)
    assert text.body.count(f"\n    {LINK}\n") == 2


@pytest.mark.parametrize(
    ("occasion", "earlier", "nl", "en"),
    [
        ("reopened", "CVD-2026-0007", "melding CVD-2026-0007 opnieuw", "report CVD-2026-0007 again"),
        (
            "split",
            "CVD-2026-0007",
            "CVD-2026-0007 gaat over meer dan één",
            "CVD-2026-0007 is about more than",
        ),
        (
            "link_renewed",
            None,
            "Uw vorige link werkt niet meer.",
            "Your earlier link does not work any more.",
        ),
        ("link_renewed", "CVD-2026-0007", "vorige link", "earlier link"),
    ],
)
def test_a_receipt_says_why_it_comes(occasion: Any, earlier: str | None, nl: str, en: str) -> None:
    body = " ".join(word(replace(RECEIPT, occasion=occasion, earlier=earlier), DESK).body.split())
    assert nl in body
    assert en in body
    assert "Bedankt voor uw melding" not in body
    assert ("Wat er nu gebeurt" in body) is (occasion != "link_renewed")
    assert LINK in body


def test_the_plain_receipt_says_that_it_is_plain_and_how_to_send_a_key() -> None:
    text = word(RECEIPT_PLAIN, DESK)

    assert "Deze mail is niet versleuteld" in dutch(text)
    assert "voeg uw openbare sleutel toe als bijlage" in dutch(text)
    assert "This mail is not encrypted" in english(text)
    assert "attach your public key" in english(text)


# --- what others get -----------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [OWNER_REPORT, HANDLER_REPORT, MESSAGE], ids=by_kind)
def test_a_quoted_text_keeps_its_lines_and_its_spaces(facts: Facts) -> None:
    text = word(facts, DESK)

    quoted = "\n".join(f"> {line}" if line else ">" for line in REPORT.split("\n"))
    assert quoted in below(text)
    assert CANARY not in text.subject + text.outer_subject
    assert text.body.startswith("TLP:AMBER\n")


def test_no_line_of_a_report_can_pass_for_ours() -> None:
    tricks = "a\r\nb\rc\u2028d\x0be\x85f\x02g\x03h\x1b[2Ji\u202ej{{ desk }}{% raw %}\ud800"

    body = below(word(replace(OWNER_REPORT, report=tricks, attachments=()), DESK))

    assert (
        "\n> a\n> b\n> c\\u2028d\\u000be\\u0085f\\u0002g\\u0003h\\u001b[2Ji\\u202ej"
        "{{ desk }}{% raw %}\\ud800\n" in body
    )
    body.encode("utf-8")


def test_a_file_name_cannot_start_a_line_of_its_own() -> None:
    name = "x.png\n\nKind regards,\n\u202ethe desk\x1b[0m"

    body = word(replace(OWNER_REPORT, attachments=(replace(FILE, name=name),)), DESK).body

    assert "    1. x.png Kind regards, \\u202ethe desk\\u001b[0m (image/png, 1234 bytes)\n" in body


def test_the_owner_learns_why_when_and_what_is_expected_but_not_who() -> None:
    text = word(OWNER_REPORT, DESK)

    assert "zaak.voorbeeld.example valt onder het domein voorbeeld.example" in dutch(text)
    assert "zaak.voorbeeld.example is under the domain voorbeeld.example" in english(text)
    assert "op welke datum u de oplossing verwacht" in dutch(text)
    assert "on what date you expect the fix" in english(text)
    assert "maak het niet openbaar" in dutch(text)
    assert "do not make it public" in english(text)
    assert "bewijs.png (image/png, 1234 bytes)" in below(text)
    assert HASH in below(text)
    assert not {"reporter", "name", "address"} & {field.name for field in fields(OWNER_REPORT)}


@pytest.mark.parametrize("facts", [OWNER_REPORT, HANDLER_REPORT], ids=by_kind)
def test_without_an_owner_the_mail_says_that_triage_stands_in(facts: Facts) -> None:
    text = word(replace(facts, matches=()), DESK)

    assert "geen eigenaar bekend" in dutch(text)
    assert "No owner of the reported systems is known" in english(text)


def test_the_handler_sees_how_the_report_came_in() -> None:
    text = word(HANDLER_REPORT, DESK)

    assert "Versleuteld: ja Handtekening: niet te controleren, de sleutel is onbekend" in dutch(text)
    assert "Encrypted: yes Signature: cannot be checked, the key is unknown" in english(text)
    assert "Eigenaar: Team Zaaksysteem" in dutch(text)
    assert RUN in dutch(text)


@pytest.mark.parametrize("kind", [OwnerNotice, HandlerNotice, MessageNotice])
def test_a_notice_says_that_the_key_is_missing_and_how_to_mend_it(kind: type[Facts]) -> None:
    text = word(next(facts for facts in EVERY if type(facts) is kind), DESK)

    assert "bruikbare OpenPGP-sleutel" in dutch(text)
    assert "langs een andere weg dan de mail" in dutch(text)
    assert "usable OpenPGP key of yours" in english(text)
    assert "by another way than mail" in english(text)


def test_the_ibd_copy_tells_what_is_left_out_and_why() -> None:
    text = word(IBD_COPY, DESK)

    assert "De melder heeft geen toestemming gegeven" in dutch(text)
    assert "The reporter has not consented" in english(text)
    assert "vervangen: naam (2) vervangen: telefoonnummer (1)" in dutch(text)
    assert "replaced: name (2) replaced: telephone number (1)" in english(text)
    for fact in ("192.0.2.7", "CVSS 9.8 (critical)", "Gemeente Voorbeeld", DESK.address):
        assert fact in dutch(text)
        assert fact in english(text)
    assert f"1. image/png, 1234 bytes\n       SHA-256 {HASH}" in below(text)
    assert "op verzoek / Attachments, on request" in below(text)


def test_the_ibd_copy_names_the_reporter_only_with_consent() -> None:
    text = word(replace(IBD_COPY, reporter="Noor <noor@vinder.example>", removed={}), DESK)

    assert "Melder: Noor <noor@vinder.example>" in dutch(text)
    assert "Reporter: Noor <noor@vinder.example>" in english(text)
    assert "toestemming gegeven om de identiteit met u te delen" in dutch(text)


def test_the_ibd_copy_says_so_when_a_fact_is_unknown() -> None:
    text = word(replace(IBD_COPY, severity=None, targets=(), on_request=()), DESK)

    assert "Ernst: nog niet bepaald" in dutch(text)
    assert "Affected systems: not given" in english(text)
    assert "Bij de melding waren geen bijlagen. / The report had no attachments." in below(text)


def test_the_answer_gives_the_date_or_the_reason_why_there_is_none() -> None:
    with_date = word(ANSWER, DESK)
    without = word(
        replace(ANSWER, expected_fix_on=None, no_date_because="Wij wachten\nop de leverancier."),
        DESK,
    )

    assert "oplossing op of voor donderdag 24 december 2026." in dutch(with_date)
    assert "solution on or before Thursday 24 December 2026." in english(with_date)
    assert "\n\nDank.\n\n    Wij filteren de invoer.\n" in below(with_date)
    assert "De reden: Wij wachten op de leverancier." in dutch(without)
    assert "The reason: Wij wachten op de leverancier." in english(without)


def test_a_link_inside_prose_is_never_broken() -> None:
    link = "https://leverancier.example/" + "een-lang-pad/" * 8
    facts = replace(ANSWER, expected_fix_on=None, no_date_because=f"Zie {link} voor de stand.")

    assert word(facts, DESK).body.count(link) == 2


@pytest.mark.parametrize(("day", "reason"), [(None, None), (None, ""), (date(2026, 12, 24), "because")])
def test_an_answer_has_a_date_or_a_reason_and_not_both(day: date | None, reason: str) -> None:
    with pytest.raises(ValueError, match="needs the date"):
        Answer(ticket=TICKET, answer="x", expected_fix_on=day, no_date_because=reason)


def test_the_plain_answer_points_to_the_secret_link_without_repeating_it() -> None:
    text = word(AnswerPlain(ticket=TICKET), DESK)

    assert "op uw geheime link: de link uit onze ontvangstbevestiging" in dutch(text)
    assert "at your secret link: the link from our confirmation of receipt" in english(text)


def test_who_is_asked_reads_that_we_wait_and_who_is_told_need_not_react() -> None:
    asked, told = word(ASKED, DESK), word(TOLD, DESK)

    assert "Wij wachten op u" in dutch(asked)
    assert "We are waiting for you" in english(asked)
    assert "U hoeft er niet op te reageren" in dutch(told)
    assert "You need not react to it" in english(told)
    assert "    En welke versie?" in below(asked)
    assert "    Wij kijken in de logs." in below(told)


@pytest.mark.parametrize("kind", [ToldPlain, AskedPlain])
def test_without_a_key_the_words_wait_at_the_secret_link(kind: type[Facts]) -> None:
    text = word(kind(ticket=TICKET), DESK)

    assert "U leest" in dutch(text)
    assert "geheime link" in dutch(text)
    assert "at your secret link" in english(text)
    assert ("wij wachten op uw reactie" in dutch(text)) is (kind is AskedPlain)
    assert ("we are waiting for your reply" in english(text)) is (kind is AskedPlain)


def test_an_embargo_gives_date_hour_and_zone_and_what_it_was() -> None:
    text = word(EMBARGO, DESK)

    assert DUE_NL in dutch(text)
    assert f"in de plaats van: {ARRIVED_NL}" in dutch(text)
    assert DUE_EN in english(text)
    assert f"takes the place of: {ARRIVED_EN}" in english(text)
    assert "De leverancier vraagt tijd." in below(text)
    assert "in de plaats van" not in dutch(word(replace(EMBARGO, was=None), DESK))


def test_an_embargo_that_is_taken_back_leaves_the_condition_of_the_policy() -> None:
    text = word(replace(EMBARGO, ends_at=None, was=DUE), DESK)

    assert f"trekken ons voorstel in om over uw melding {TICKET} niets bekend" in dutch(text)
    assert DUE_NL in dutch(text)
    assert "deel het probleem niet met anderen tot het is opgelost" in dutch(text)
    assert DUE_EN in english(text)
    assert "do not share the problem with others until it has been solved" in english(text)


def test_a_publication_is_proposed_on_a_day_and_names_nobody_unasked() -> None:
    text = word(PUBLICATION, DESK)

    assert "donderdag 24 december 2026" in dutch(text)
    assert "Thursday 24 December 2026" in english(text)
    assert "Bent u het ermee eens?" in dutch(text)
    assert "Do you agree?" in english(text)
    assert "Zonder uw toestemming noemen wij u niet" in dutch(text)
    assert "Without your consent we do not name you" in english(text)
    assert "Wij schrijven een bericht." in below(text)


@pytest.mark.parametrize("facts", [EMBARGO, PUBLICATION, ASSIGNED], ids=by_kind)
def test_an_explanation_that_is_not_given_is_not_announced(facts: Any) -> None:
    assert "toelichting" in dutch(word(facts, DESK))
    assert "toelichting" not in word(replace(facts, reason=None), DESK).body


def test_who_gets_a_ticket_reads_from_whom_but_not_without_a_key() -> None:
    sealed, plain = word(ASSIGNED, DESK), word(AssignedNotice(ticket=TICKET, run_url=RUN), DESK)

    assert "aan u toegewezen door Fatima" in dutch(sealed)
    assert "assigned to you by Fatima" in english(sealed)
    assert "Fatima" not in plain.body
    assert RUN in plain.body


def test_a_change_of_state_has_label_next_step_and_reason() -> None:
    closed = Label("het probleem is verholpen", "the problem has been fixed")

    text = word(replace(STATE_CHANGED, closed_because=closed), DESK)

    assert "is nu: Bevestigd." in dutch(text)
    assert "is now: Confirmed." in english(text)
    assert NEXT.nl in dutch(text)
    assert NEXT.en in english(text)
    assert "De reden van sluiten: het probleem is verholpen." in dutch(text)
    assert "The reason for closing: the problem has been fixed." in english(text)
    assert below(text).endswith("Onze toelichting / Our explanation:\n\nNagebootst.\n")


def test_a_change_of_state_without_a_reason_does_not_announce_one() -> None:
    body = word(replace(STATE_CHANGED, reason=None), DESK).body

    assert "toelichting" not in body
    assert "explanation" not in body


def test_the_progress_of_a_joined_report_is_state_reason_and_date() -> None:
    running, undated = word(PROGRESS, DESK), word(replace(PROGRESS, expected_fix_on=None), DESK)
    solved = Label("opgelost", "remediated")
    closed = word(replace(PROGRESS, is_closed=True, closed_because=solved, expected_fix_on=None), DESK)

    assert f"Uw melding {TICKET} is gesloten" in dutch(running)
    assert f"Your report {TICKET} was closed" in english(running)
    assert f"{STATE.nl} {NEXT.nl} Wij verwachten een oplossing op of voor donderdag 24" in dutch(running)
    assert f"{STATE.en} {NEXT.en} We expect a solution on or before Thursday 24" in english(running)
    assert "Wij kunnen nu geen datum" in dutch(undated)
    assert "We cannot name a date" in english(undated)
    assert f"{STATE.nl}: opgelost {NEXT.nl} Vragen?" in dutch(closed)
    assert f"{STATE.en}: remediated {NEXT.en} Questions?" in english(closed)


def test_the_progress_of_a_joined_report_says_what_we_propose_to_make_known() -> None:
    silent = word(replace(PROGRESS, embargo_ends_at=DUE), DESK)
    lifted = word(replace(PROGRESS, embargo_is_lifted=True), DESK)
    solved = word(replace(PROGRESS, is_closed=True, publish_on=date(2026, 12, 24)), DESK)

    for said in (dutch(word(PROGRESS, DESK)), dutch(solved)):
        assert "niets over bekendmaken" not in said
        assert "ingetrokken" not in said
    assert "er niets over bekendmaken tot donderdag 26 november 2026" in dutch(silent)
    assert "make nothing known about it until Thursday 26 November 2026" in english(silent)
    assert "Ons voorstel om tot een bepaald moment niets bekend te maken, is ingetrokken." in dutch(lifted)
    assert "until a certain moment is taken back" in english(lifted)
    assert "er iets over te publiceren op donderdag 24 december 2026" in dutch(solved)
    assert "publish about it on Thursday 24 December 2026" in english(solved)
    assert "Without your consent we do not name you" in english(solved)


def test_a_rung_names_clock_share_owner_and_whether_it_is_breached() -> None:
    early = word(RUNG, DESK)
    late = word(replace(RUNG, share=1.2, is_breached=True, run_url=None), DESK)

    assert "Van een termijn van ticket CVD-2026-0042 is 80% verstreken." in dutch(early)
    assert "Termijn: antwoord aan de melder" in dutch(early)
    assert "Owner: Team Zaaksysteem Clock: answer to the reporter" in english(early)
    assert "De overschrijding is vastgelegd." in dutch(late)
    assert "Passed: 120%" in english(late)
    assert "Breached: yes" in english(late)
    assert "Prefect" not in late.body


def test_the_owner_is_asked_to_reply_and_the_desk_is_told_what_stops_the_clock() -> None:
    desk, owner = word(RUNG, DESK), word(replace(RUNG, run_url=None), DESK)

    assert "Alleen een bezorgd antwoord" in dutch(desk)
    assert "Reply to this mail and tell us how it stands" in english(owner)
    assert "U hoeft niet aan de melder te schrijven" in dutch(owner)
    assert "stopt deze termijn" not in dutch(owner)


def test_an_alarm_that_may_leave_people_untold_says_so_in_its_subject() -> None:
    lines = (*ALARM.lines, AlarmLine(kind="flow_stopped", number=1, about="sweep"))

    assert "Meldbalie staat deels stil" in word(replace(ALARM, lines=lines), DESK).subject
    assert "De controle vond iets" in word(ALARM, DESK).subject


@pytest.mark.parametrize("clock", ["response", "share", "update", "fix"])
def test_every_clock_has_words(clock: str) -> None:
    assert "Termijn: " in dutch(word(replace(RUNG, clock=clock), DESK))


def test_the_clock_of_a_law_is_called_by_its_name() -> None:
    text = word(replace(RUNG, clock="cra_early_warning"), DESK)

    assert "Termijn: wettelijk, cra_early_warning" in dutch(text)
    assert "Clock: statutory, cra_early_warning" in english(text)


def test_a_rung_says_how_far_things_have_come() -> None:
    every = ("reminder", "escalation", "breach")
    subjects = {word(replace(RUNG, words=words), DESK).subject for words in every}
    escalated = word(replace(RUNG, words="escalation"), DESK)

    assert len(subjects) == 3
    assert "Daarom hoort u het nu." in dutch(escalated)
    assert "That is why you hear of it now." in english(escalated)


def test_a_rung_that_asks_for_it_has_a_link_that_says_it_was_seen_and_until_when() -> None:
    link = "https://meldingen.voorbeeld.example/a/" + "a" * 32
    asks = word(replace(RUNG, acknowledge=link, acknowledge_by=DUE), DESK)

    assert asks.body.count(f"    {link}\n") == 2
    assert "anders wordt de volgende gewaarschuwd" in dutch(asks)
    assert "or reply to this mail" in english(asks)
    assert "/a/" not in word(RUNG, DESK).body


def test_the_quarantine_notice_has_number_problem_and_what_to_do() -> None:
    known = word(QUARANTINED, DESK)
    unknown = word(replace(QUARANTINED, problem="new_code"), DESK)

    assert "Nummer in het grootboek: 17" in dutch(known)
    assert "the encrypted message was damaged or altered Code: tampered" in english(known)
    assert "Er is niets verloren." in dutch(known)
    assert "Probleem: het openen of verwerken mislukte steeds Code: new_code" in dutch(unknown)


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_of_a_letter_has_words(problem: Problem) -> None:
    body = word(replace(QUARANTINED, problem=problem), DESK).body

    assert "mislukte steeds" not in body
    why, way_out = explained(problem)
    assert why.en in flowing(body)
    assert way_out.nl in flowing(body)
    assert problem is Problem.UNREADABLE or way_out != explained(Problem.UNREADABLE)[1]


@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_has_words_and_a_way_out(kind: AlarmKind) -> None:
    other = alarm_in_words("no such kind")
    text = word(replace(ALARM, lines=(AlarmLine(kind=kind, number=3, about="17, 18, 19"),)), DESK)

    assert alarm_in_words(kind)[0] != other[0]
    assert alarm_in_words(kind)[1] != other[1]
    assert f"- {alarm_in_words(kind)[0]}: 3." in english(text)
    assert f"Code: {kind} Numbers: 17, 18, 19" in english(text)
    assert "Nummers: 17, 18, 19" in dutch(text)


SENDING_ERRORS = [
    errors.ServerUnreachable,
    errors.ServerRefused,
    errors.LoginRefused,
    errors.ConnectionNotPrivate,
    errors.MailRefused,
    errors.RecipientRefused,
    errors.KeyringUnusable,
    errors.GpgTimedOut,
    UnfitDraft,
]


@pytest.mark.parametrize("error", SENDING_ERRORS)
def test_every_error_of_sending_has_words(error: type[Exception]) -> None:
    body = word(replace(UNDELIVERED, reason=error.__name__), DESK).body

    assert "Reden:            het versturen mislukte\n" not in body
    assert f"Code:             {error.__name__}\n" in body


@pytest.mark.parametrize("signature", get_args(Signature))
def test_every_verdict_on_a_signature_has_words(signature: Signature) -> None:
    assert "Handtekening:" in word(replace(HANDLER_REPORT, signature=signature), DESK).body


@pytest.mark.parametrize("notice", [HANDLER_REPORT, EVERY[5]], ids=by_kind)
@pytest.mark.parametrize(
    ("occasion", "nl", "en"),
    [
        ("reopened", "Ticket CVD-2026-0002 wordt opnieuw behandeld", "CVD-2026-0002 is taken up again"),
        ("split", "Ticket CVD-2026-0002 is gesplitst", "CVD-2026-0002 was split"),
    ],
)
def test_a_ticket_that_comes_of_another_says_of_which(notice: Any, occasion: Any, nl: str, en: str) -> None:
    text = word(replace(notice, occasion=occasion, earlier="CVD-2026-0002"), DESK)

    assert nl in dutch(text)
    assert en in english(text)
    assert "Er is een nieuw ticket" not in dutch(text)


def test_a_new_link_is_called_one() -> None:
    text = word(replace(RECEIPT, occasion="link_renewed"), DESK)

    assert text.subject == f"[{TICKET}] Nieuwe geheime link / New secret link"


@pytest.mark.parametrize("message", [MESSAGE, MESSAGE_NOTICE], ids=by_kind)
def test_whoever_did_not_prove_it_only_claims_to_be_of_the_desk(message: MessageNotice) -> None:
    claimed = word(replace(message, sender="staff", doubt="unsigned"), DESK)
    proved = word(replace(message, sender="staff", doubt="order_refused"), DESK)

    assert "van iemand die zegt een medewerker van het meldpunt te zijn." in dutch(claimed)
    assert "from somebody who claims to be a member of the desk." in english(claimed)
    assert "gekomen van een medewerker van het meldpunt." in dutch(proved)


def test_a_fix_is_told_and_taken_back() -> None:
    fixed = word(replace(FIXED, fixed_on=date(2026, 12, 1)), DESK)
    without = word(replace(FIXED, expected_fix_on=None), DESK)

    assert "is opgelost op dinsdag 1 december 2026" in dutch(fixed)
    assert "was fixed on Tuesday 1 December 2026" in english(fixed)
    assert "24 december" not in dutch(fixed)
    assert "Dat klopt niet: het is nog niet opgelost." in dutch(without)
    assert "We cannot name a date for the solution now." in english(without)


def test_a_joined_report_is_told_of_the_fix_instead_of_the_expected_day() -> None:
    fixed = word(replace(PROGRESS, fixed_on=date(2026, 12, 1)), DESK)
    not_fixed = word(replace(PROGRESS, was_fixed_in_error=True), DESK)

    assert "De oplossing is er sinds dinsdag 1 december 2026." in dutch(fixed)
    assert "24 december" not in dutch(fixed)
    assert "That was an error: it has not been fixed yet. We expect" in english(not_fixed)


def test_a_held_copy_is_quoted_as_it_would_leave_with_what_raised_the_doubt() -> None:
    text = word(HELD_COPY, DESK)
    copy = word(IBD_COPY, DESK).body

    assert text.body.endswith("".join(f"> {line}".rstrip() + "\n" for line in copy.splitlines()))
    assert "de laatste regel kan een naam zijn a_new_one" in dutch(text)
    assert "the last line may be a name a_new_one" in english(text)
    assert text.body.count("\n    release\n") == 2


def test_every_doubt_about_a_copy_has_words() -> None:
    own = Path(wording.__file__).parent
    codes: Any = wording._TEMPLATES.get_template("copy_codes.txt").module
    raised = {*scrub_doubt._SIGNS, "sign_off"}
    for module, among in (("scrub", "doubt"), ("scrub_doubt", "codes")):
        source = (own / f"{module}.py").read_text()
        raised |= set(re.findall(rf'{among}.(?:add|update)\("(\w+)"\)', source))

    assert {"common_name", "still_identifies", "long_signature", "after_signature"} <= raised
    assert raised | {"short_name", "domain", "encoded", "number", "quoted_mail"} <= set(codes.DOUBTS)
    assert set(get_args(ScrubKind)) <= set(codes.REMOVED)


def test_the_copy_for_the_ibd_speaks_dutch_in_dutch_and_lists_no_files_where_there_are_none() -> None:
    text = word(replace(IBD_COPY, removed={"signature": 1, "name": 4}, on_request=()), DESK)

    assert "vervangen: naam (4) vervangen: ondertekening (1)" in dutch(text)
    assert "replaced: name (4) replaced: signature (1)" in english(text)
    assert "zie de lijst" not in dutch(text)
    assert "see the list" not in english(text)


def test_the_details_of_what_is_confirmed_stand_in_one_column() -> None:
    details = ((Label("Hoort bij", "Belongs to"), Label("CVD-2026-0001", "CVD-2026-0001")),)
    body = word(replace(CONFIRM, details=CONFIRM.details + details), DESK).body

    lines = [line for line in body.splitlines() if re.match(r"    \S.*:\s", line)]
    assert {"Hoort bij", "Reden van sluiten", "Reason for closing"} <= {
        line.strip().partition(":")[0] for line in lines
    }
    assert {re.match(r"    .+?: +", line).end() for line in lines} == {24}  # type: ignore[union-attr]


def test_the_note_to_a_sender_says_how_to_try_again() -> None:
    text = word(CannotOpen(received_at=ARRIVED, largest_megabytes=50), DESK)

    for fact in (KEY_SHOWN, DESK.policy_url, DESK.address, "50 MB"):
        assert fact in dutch(text)
        assert fact in english(text)
    assert "[" not in text.subject


def test_a_parked_mail_is_told_with_purpose_recipient_and_reason() -> None:
    text = word(UNDELIVERED, DESK)
    without = word(replace(UNDELIVERED, ticket=None), DESK)

    assert "Ticket: CVD-2026-0042 Doel: TLP:AMBER Kopie van een melding" in dutch(text)
    assert "Recipient: the IBD Reason: there is no usable key of the recipient" in english(text)
    assert "Ticket: geen" in dutch(without)
    assert not without.subject.startswith("[")


# --- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "zone", "nl", "en"),
    [
        (DUE, "Europe/Amsterdam", DUE_NL, DUE_EN),
        (
            datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
            "Europe/Amsterdam",
            "donderdag 2 juli 2026 om 00:30 (Nederlandse tijd)",
            "Thursday 2 July 2026 at 00:30 (Dutch time, UTC+2)",
        ),
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            "Europe/Amsterdam",
            "zondag 25 oktober 2026 om 02:30 (Nederlandse tijd, UTC+2)",
            "Sunday 25 October 2026 at 02:30 (Dutch time, UTC+2)",
        ),
        (
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
            "Europe/Amsterdam",
            "zondag 25 oktober 2026 om 02:30 (Nederlandse tijd, UTC+1)",
            "Sunday 25 October 2026 at 02:30 (Dutch time, UTC+1)",
        ),
        (
            DUE,
            "Asia/Kolkata",
            "donderdag 26 november 2026 om 18:35 (Asia/Kolkata, UTC+5:30)",
            "Thursday 26 November 2026 at 18:35 (Asia/Kolkata, UTC+5:30)",
        ),
        (
            DUE,
            "America/St_Johns",
            "donderdag 26 november 2026 om 09:35 (America/St_Johns, UTC-3:30)",
            "Thursday 26 November 2026 at 09:35 (America/St_Johns, UTC-3:30)",
        ),
        (
            DUE,
            "UTC",
            "donderdag 26 november 2026 om 13:05 (UTC, UTC+0)",
            "Thursday 26 November 2026 at 13:05 (UTC, UTC+0)",
        ),
    ],
)
def test_an_instant_is_told_in_local_time_with_its_zone(
    instant: datetime, zone: str, nl: str, en: str
) -> None:
    assert in_words(instant, zone, "nl") == nl
    assert in_words(instant, zone, "en") == en


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        in_words(datetime(2026, 11, 26, 13, 5), "Europe/Amsterdam", "nl")


def test_a_day_has_no_time() -> None:
    assert day_in_words(date(2026, 12, 5), "nl") == "zaterdag 5 december 2026"
    assert day_in_words(date(2026, 12, 5), "en") == "Saturday 5 December 2026"


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [*RefusalReason, "missing", "expires"])
def test_every_problem_of_a_key_has_words_in_both_languages(reason: str) -> None:
    text = word(replace(KEY_REFUSED, problem=reason), DESK)

    assert "the key cannot be used" not in english(text)
    receipt = word(replace(RECEIPT_PLAIN, key_problem=reason), DESK)
    assert "er is iets mis mee" not in dutch(receipt)
    assert "something is wrong with it" not in english(receipt)


def test_a_receipt_says_nothing_of_a_key_when_nothing_is_wrong_with_it() -> None:
    assert "cannot use the OpenPGP key" not in english(word(RECEIPT_PLAIN, DESK))


def test_a_warning_of_our_own_key_and_of_ones_own_say_what_to_do() -> None:
    ours = word(replace(KEY_WARNING, holder="", ends_at=None), DESK)
    yours = word(replace(KEY_WARNING, is_yours=True), DESK)

    assert "keys rotate" in english(ours)
    assert "Key of: the desk itself" in english(ours)
    assert "Extend your key" in english(yours)
    assert "Verleng uw sleutel" in dutch(yours)


def test_who_confirms_reads_what_it_is_until_when_and_what_to_do_if_it_was_not_them() -> None:
    text = word(CONFIRM, DESK)

    for fact in (
        "Sluiten",
        "Reden van sluiten: opgelost",
        "Fatima de Boer",
        ARRIVED_NL,
        DUE_NL,
        CONFIRM.link,
    ):
        assert fact in dutch(text)
    for fact in (
        "Close",
        "Reason for closing: remediated",
        "Fatima de Boer",
        ARRIVED_EN,
        DUE_EN,
        CONFIRM.link,
    ):
        assert fact in english(text)
    assert "tell your colleagues: somebody filled in the form in your name" in english(text)
    assert "    En weg." in text.body.split("-" * 72)[2]


def test_what_has_no_text_and_is_about_several_tickets_says_so() -> None:
    several = (Label("Tickets", "Tickets"), Label("CVD-2026-0007", "CVD-2026-0007"))

    text = word(replace(CONFIRM, ticket=None, reason=None, details=(several,)), DESK)

    assert "    Tickets:            CVD-2026-0007\n" in text.body
    assert "tekst die erbij hoort" not in text.body
    assert text.outer_subject == "Versleuteld bericht / Encrypted message"

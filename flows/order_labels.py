"""The commands of a mail in plain words, for who wrote it."""

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date

from ..mailbox.orders import Verb
from ..mailbox.wording_parts import Label
from ..models.states import CLOSE_LABELS, CloseReason

_IN_WORDS: Mapping[Verb, Label] = {
    Verb.FIX: Label(
        "antwoord de melder, en noem de dag waarop het is opgelost:",
        "answer the reporter, and name the day by which it is fixed:",
    ),
    Verb.NO_DATE: Label(
        "antwoord de melder, met de reden waarom er nog geen datum is",
        "answer the reporter, with the reason why there is no date yet",
    ),
    Verb.ACCEPT: Label("neem het in behandeling om het op te lossen", "take it on to be fixed"),
    Verb.CONFIRM: Label("bevestig dat het probleem er is", "confirm that the problem is there"),
    Verb.INVALIDATE: Label("zeg dat het probleem niet is bevestigd", "say that the problem is not confirmed"),
    Verb.DEFER: Label("houd het ticket aan", "put the ticket on hold"),
    Verb.CLOSE: Label("sluit het ticket:", "close the ticket:"),
    Verb.ASSIGN: Label("wijs het ticket toe aan", "assign the ticket to"),
    Verb.RATE: Label("zet de ernst op", "set the severity to"),
    Verb.WAIT: Label("laat het ticket wachten op", "let the ticket wait for"),
    Verb.MILESTONE: Label("noteer de mijlpaal", "note the milestone"),
    Verb.RELEASE: Label("geef de kopie voor de IBD vrij", "release the copy for the IBD"),
    Verb.ASK: Label(
        "stel de melder uw vraag, en wacht op het antwoord", "ask the reporter your question, and wait for it"
    ),
    Verb.TELL: Label("stuur uw tekst naar de melder", "send your text to the reporter"),
    Verb.NOTE: Label(
        "bewaar uw tekst bij het ticket; de melder krijgt hem niet",
        "keep your text on the ticket; the reporter does not get it",
    ),
}
_VALUES: Mapping[str, Label] = {
    "reporter": Label("de melder", "the reporter"),
    "supplier": Label("de leverancier", "the supplier"),
    "handler": Label("de behandelaar", "the handler"),
    "owner": Label("de eigenaar", "the owner"),
    "ibd": Label("de IBD", "the IBD"),
    "critical": Label("kritiek", "critical"),
    "high": Label("hoog", "high"),
    "medium": Label("midden", "medium"),
    "low": Label("laag", "low"),
    "none": Label("geen", "none"),
}


def in_words(spelled: str) -> Label:
    """What :attr:`~meldbalie.mailbox.orders.Command.spelled` gives of a command, as people say it."""
    verb = next(one for one in Verb if f"{spelled} ".startswith(f"{one.value.replace('_', ' ')} "))
    said, value = _IN_WORDS[verb], spelled[len(verb) :].strip()
    if not value:
        return said
    if verb is Verb.CLOSE:
        means = Label(*CLOSE_LABELS[CloseReason(value)])
    elif verb in (Verb.WAIT, Verb.RATE):
        means = _VALUES.get(value, Label(value, value))
    elif verb is Verb.FIX:
        means = Label(_day(value, "nl"), _day(value, "en"))
    else:
        shown = value.replace("_", " ") if verb is Verb.MILESTONE else value
        means = Label(shown, shown)
    return Label(f"{said.nl} {means.nl}", f"{said.en} {means.en}")


def _day(written: str, language: str) -> str:
    return format_date(date.fromisoformat(written), "d MMMM yyyy", locale=language)

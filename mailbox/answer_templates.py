"""Texts that handlers choose instead of typing them again: Dutch first and then English, as in every mail.

They are filled in by name. A placeholder that we do not know is refused where the text is configured,
so that none ever reaches a reporter.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from string import Formatter

from .wording import WIDTH, Language, day_in_words

FIX_DATE = "fix_date"
#: All that a text may be filled in with.
PLACEHOLDERS = ("reference", FIX_DATE, "organisation")


@dataclass(frozen=True)
class AnswerTemplate:
    """A text by its name, in one language or in both."""

    name: str
    nl: str = ""
    en: str = ""

    @property
    def needs_fix_date(self) -> bool:
        """Whether it names the day by which a solution is expected."""
        return any(FIX_DATE in _placeholders(text) for text in (self.nl, self.en))

    def filled(self, *, reference: str, organisation: str, fix_on: date | None) -> str:
        """The text as the reporter reads it; ``fix_on`` may be ``None`` only where it is not needed."""
        parts: list[str] = []
        languages: tuple[tuple[Language, str], ...] = (("nl", self.nl), ("en", self.en))
        for language, text in languages:
            if text.strip():
                day = day_in_words(fix_on, language) if fix_on else ""
                words = {"reference": reference, "organisation": organisation, FIX_DATE: day}
                parts.append(_wrapped(text.strip().format_map(words)))
        return "\n\n".join(parts)


def checked(text: str) -> str:
    """A text whose placeholders are all known; raises :class:`ValueError` that names the first other one."""
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    try:
        wrong = next((name for name in _placeholders(text) if name not in PLACEHOLDERS), None)
    except ValueError as error:
        raise ValueError(f"{error}: write a brace that is meant as one as {{{{ or }}}}") from None
    if wrong is not None:
        raise ValueError(f"{{{wrong}}} is filled in by nothing: give one of {known}")
    return text


def _placeholders(text: str) -> Iterator[str]:
    """What stands between braces: no more than a name is ever known."""
    for _, name, form, conversion in Formatter().parse(text):
        if name is not None:
            yield name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")


def _wrapped(text: str) -> str:
    return "\n".join(
        textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


#: What a municipality needs, where nothing of its own is configured.
BUILT_IN = (
    AnswerTemplate(
        "thank you, with a date",
        nl="Dank voor uw melding {reference}. Wij hebben haar beoordeeld en verwachten het probleem op of"
        " voor {fix_date} te hebben opgelost. Verandert die datum, dan hoort u dat van ons.",
        en="Thank you for your report {reference}. We have assessed it and expect to have solved the problem"
        " on or before {fix_date}. If that date changes, you hear it from us.",
    ),
    AnswerTemplate(
        "being investigated, no date yet",
        nl="Dank voor uw melding {reference}. Wij onderzoeken haar nog en kunnen nu geen datum voor de"
        " oplossing noemen; de reden staat bij dit antwoord. Zodra wij een datum weten, hoort u die van ons.",
        en="Thank you for your report {reference}. We are still investigating it and cannot name a date for"
        " the solution now; the reason is given with this answer. Once we know a date, you hear it from us.",
    ),
    AnswerTemplate(
        "more information needed",
        nl="Wij kunnen het probleem uit uw melding {reference} nog niet nabootsen. Kunt u ons dit laten"
        " weten?\n\n"
        "- Het precieze adres: de URL of het IP-adres.\n"
        "- De stappen: wat u invoerde en wat u terugkreeg.\n"
        "- Wanneer u het zag, en met welk programma.\n\n"
        "U hoeft het niet opnieuw te proberen als u dit nog weet.",
        en="We cannot reproduce the problem in your report {reference} yet. Could you let us know?\n\n"
        "- The exact address: the URL or the IP address.\n"
        "- The steps: what you entered and what you got back.\n"
        "- When you saw it, and with which program.\n\n"
        "You need not try it again if you still know this.",
    ),
    AnswerTemplate(
        "not in our systems",
        nl="Dank voor uw melding {reference}. Het systeem waarover u schrijft, is niet van {organisation}."
        " Wij kunnen het probleem daarom niet zelf oplossen. Uw gegevens geven wij aan niemand door zonder"
        " uw toestemming.",
        en="Thank you for your report {reference}. The system that you write about is not one of"
        " {organisation}, so we cannot solve the problem ourselves. We pass your data on to nobody without"
        " your consent.",
    ),
    AnswerTemplate(
        "known already",
        nl="Dank voor uw melding {reference}. Dit probleem was al bij ons bekend. Wij houden u op de hoogte"
        " tot het is opgelost; tot dan vragen wij u om het met niemand te delen.",
        en="Thank you for your report {reference}. We knew of this problem already. We keep you informed"
        " until it has been solved; until then we ask you to share it with nobody.",
    ),
)

"""What a handler says with a template: its text filled in, and then their own words."""

from datetime import date

from ..mailbox.answer_templates import BUILT_IN, AnswerTemplate
from ..models.errors import Refused
from ..settings import Settings


def answer_templates(config: Settings) -> dict[str, AnswerTemplate]:
    """The texts that handlers are offered, by name: those of the settings, else the built-in ones."""
    own = [AnswerTemplate(text.name, text.nl, text.en) for text in config.desk.answers]
    return {template.name: template for template in own or BUILT_IN}


def text_with(config: Settings, name: str, text: str, *, reference: str, fix_on: date | None = None) -> str:
    """The text of a template, then the handler's own; without a template only that.

    Raises :class:`Refused`.
    """
    if not name:
        return text
    known = answer_templates(config)
    template = known.get(name)
    if template is None:
        raise Refused(f"there is no template called {name!r}; known are: {', '.join(known)}")
    if fix_on is None and template.needs_fix_date:
        raise Refused(f"the template {name!r} names the expected fix date: give one, or take another text")
    filled = template.filled(reference=reference, organisation=config.organisation.name, fix_on=fix_on)
    return "\n\n".join(part for part in (filled, text.strip("\n")) if part.strip())

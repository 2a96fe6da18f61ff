"""The Dutch catalogue: the English sentences of code and templates, and their translation.

``python -m meldbalie.webhooks.catalogue`` takes new sentences up in ``messages.po`` and compiles
what is translated; a test fails until nothing is missing, fuzzy or out of date.
"""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).parent
DUTCH = HERE / "translations" / "nl" / "LC_MESSAGES" / "messages.po"
SOURCES = [("*.py", "python"), ("templates/*.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # the same sentences make the same file


def sentences() -> Catalog:
    """Every sentence that code and templates ask for."""
    found = Catalog(project="Meldbalie", charset="utf-8", creation_date=NO_DATE)
    for file, _, sentence, comments, context in extract_from_dir(HERE, SOURCES, keywords=KEYWORDS):
        found.add(sentence, locations=[(file, 0)], auto_comments=comments, context=context)
    return found


def dutch() -> Catalog:
    """The translation as it stands in the repository."""
    with DUTCH.open("rb") as file:
        return read_po(file, locale="nl", domain="messages")


def compiled(catalogue: Catalog) -> bytes:
    """What the app loads."""
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def bring_up_to_date() -> None:
    """Take up new sentences, let go of old ones, compile."""
    catalogue = dutch()
    catalogue.update(sentences(), no_fuzzy_matching=True)
    catalogue.revision_date = NO_DATE
    with DUTCH.open("wb") as file:
        write_po(file, catalogue, width=100, include_lineno=False, ignore_obsolete=True, sort_output=True)
    DUTCH.with_suffix(".mo").write_bytes(compiled(dutch()))


if __name__ == "__main__":
    bring_up_to_date()

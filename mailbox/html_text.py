"""HTML mail as text: never rendered, nothing fetched; the targets of links are shown, for they may
be the evidence."""

import re
from html import unescape
from typing import Any, cast

import lxml.etree
import lxml.html
from inscriptis import Inscriptis
from inscriptis.model.config import ParserConfig

etree: Any = cast("Any", lxml.etree)  # lxml has no types
html: Any = cast("Any", lxml.html)

_LAYOUT = ParserConfig(display_links=True)
_DATA_URI = re.compile(r"data:[a-z0-9/+.;=-]{0,100},[A-Za-z0-9+/=%\s]{200,}")
_PARSED = 8  # how many times the limit is still parsed
_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = ("script", "style", "head", "title", "template")


def text_of(source: str, *, limit: int) -> str:
    """Give the text of an HTML document; never raises. Beyond `limit` characters it is not laid out."""
    source = _DATA_URI.sub("", source) if "data:" in source else source
    tree = _tree(source) if len(source) <= limit * _PARSED else None
    laid_out = ""
    if tree is not None and len(source) <= limit:
        try:
            laid_out = Inscriptis(tree, _LAYOUT).get_text().strip("\n")
        except Exception:
            laid_out = ""
    if not laid_out.strip() and tree is not None:
        laid_out = _bare_words(tree)
    return laid_out or unescape(_TAG.sub(" ", source)).strip()  # the parser stops at 256 levels


def _tree(source: str) -> Any | None:
    parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        return html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None


def _bare_words(tree: Any) -> str:
    etree.strip_elements(tree, *_UNSEEN, with_tail=False)
    lines = (str(text).strip() for text in tree.itertext())
    return "\n".join(line for line in lines if line)

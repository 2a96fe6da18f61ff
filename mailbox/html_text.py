"""HTML mail as text: never rendered, nothing fetched; the targets of links are shown, for they may
be the evidence.

What styles would hide from a reader is not left out, and does not pose as what was shown: it stands
between `[hidden:` and `]`.
"""

import re
from html import unescape
from typing import Any, cast

import lxml.etree
import lxml.html
from inscriptis import Inscriptis
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.model.config import ParserConfig

etree: Any = cast("Any", lxml.etree)  # lxml has no types
html: Any = cast("Any", lxml.html)

_LAYOUT = ParserConfig(css=STRICT_CSS_PROFILE, display_links=True)  # the other cuts words at every <span>
_DATA_URI = re.compile(r"data:[a-z0-9/+.;=-]{0,100},[A-Za-z0-9+/=%\s]{200,}")
_PARSED = 8  # how many times the limit is still parsed
_TAG = re.compile(r"<[^<>]*>")
_GROWN = 2  # how many times the limit a laid out text may have; lists can be indented without end
_UNSEEN = ("script", "style", "head", "title", "template")

_ZERO = r"0*\.?0*(?:px|pt|em|rem|ex|%|vh|vw)?"
_HIDING = re.compile(
    rf"""(?:^|[;{{\s])(?:
      display\s*:\s*none
    | visibility\s*:\s*(?:hidden|collapse)
    | opacity\s*:\s*{_ZERO}
    | (?:font-size|font|line-height|max-height|max-width|height|width|zoom)\s*:\s*{_ZERO}
    | (?:text-indent|left|top|right|bottom|margin-left|margin-top)\s*:\s*-\s*\d{{3,}}[\d.a-z%]*
    | clip\s*:\s*rect\(\s*0|clip-path\s*:\s*(?:inset\(\s*(?:50|100)%|circle\(\s*0)
    | transform\s*:\s*scale\(\s*0
    | color\s*:\s*transparent
    | mso-hide\s*:\s*all
    )\s*(?:[!;),/}}]|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ON_SOME_SCREENS = re.compile(
    r"@media[^{}@(]{0,200}\([^{}@]{0,500}\{(?:[^{}]{0,2000}\{[^{}]{0,2000}\})*+", re.IGNORECASE
)
_SELECTOR = re.compile(r"(?:[a-z0-9]{1,20})?([.#][\w-]{1,200})\Z", re.IGNORECASE)
_KEPT = re.compile(r"(?:^|;)\s*(white-space\s*:[^;]*|display\s*:\s*(?:block|inline)[^;]*)", re.IGNORECASE)
_MOST_STYLES = 100_000  # characters of style sheets that are looked at


def text_of(source: str, *, limit: int) -> str:
    """Give the text of an HTML document; never raises. Beyond `limit` characters it is not laid out."""
    source = _DATA_URI.sub("", source) if "data:" in source else source
    tree = _tree(source) if len(source) <= limit * _PARSED else None
    laid_out = ""
    if tree is not None and len(source) <= limit:
        try:
            _straighten(tree)
            laid_out = Inscriptis(tree, _LAYOUT).get_text().strip("\n")
        except Exception:
            laid_out = ""
    if len(laid_out) > _GROWN * limit:
        laid_out = ""
    if not laid_out.strip() and tree is not None:
        laid_out = _bare_words(tree)
    return laid_out or unescape(_TAG.sub(" ", source)).strip()


def _tree(source: str) -> Any | None:
    """Give the parsed document; None when it cannot be parsed, or only in part (at 256 levels)."""
    parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    return None if any(entry.level >= _FATAL for entry in parser.error_log) else tree


_FATAL: int = etree.ErrorLevels.FATAL


def _straighten(tree: Any) -> None:
    """Take out of a document what makes its layout larger than itself, and mark what it hides.

    A table cell is as high as the row and as wide as the column, and a margin has any width: a page
    of each fills the memory. Cells become words beside each other, and rows lines.
    """
    hidden = _hidden_names(tree)
    for element in list(tree.iter(etree.Element)):
        style = element.attrib.pop("style", "")
        if _is_hidden(element, style, hidden) and any(map(str.strip, element.itertext())):
            _mark(element)
        kept = _KEPT.findall(style)
        if kept:
            element.attrib["style"] = ";".join(kept)
        if element.tag in ("td", "th"):
            element.tag, element.tail = "span", f"  {element.tail or ''}"
        elif element.tag in ("table", "tbody", "thead", "tfoot", "tr", "caption"):
            element.tag = "div"


def _is_hidden(element: Any, style: str, hidden: frozenset[str]) -> bool:
    if "hidden" in element.attrib or _HIDING.search(style):
        return True
    names = [f".{name}" for name in element.attrib.get("class", "").split()]
    return not hidden.isdisjoint([*names, f"#{element.attrib.get('id', '')}"])


def _mark(element: Any) -> None:
    """Say around the text of an element that it was hidden."""
    element.attrib.pop("hidden", None)
    element.text = f"[hidden: {element.text or ''}"
    last = element[-1] if len(element) else None
    if last is None:
        element.text += "]"
    else:
        last.tail = f"{last.tail or ''}]"


def _hidden_names(tree: Any) -> frozenset[str]:
    """Give the classes and ids (`.x`, `#y`) that a style sheet in the document hides on every screen."""
    sheets = "".join(element.text or "" for element in tree.iter("style"))[:_MOST_STYLES]
    found: set[str] = set()
    for rule in _ON_SOME_SCREENS.sub("", _COMMENT.sub("", sheets)).split("}"):
        before, _, declarations = rule.rpartition("{")
        if _HIDING.search(declarations):
            selectors = before.rpartition("{")[2].split(",")
            matches = (_SELECTOR.match(selector.strip()) for selector in selectors)
            found.update(match[1] for match in matches if match)
    return frozenset(found)


def _bare_words(tree: Any) -> str:
    etree.strip_elements(tree, *_UNSEEN, with_tail=False)
    lines = (str(text).strip() for text in tree.itertext())
    return "\n".join(line for line in lines if line)

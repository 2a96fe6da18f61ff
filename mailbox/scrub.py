"""Takes a reporter's identity out of a report, so that a copy can be shared without consent.

Nothing but the places that identify is changed. Where taking something out may have hurt the report,
or where something that was left may still point to the reporter, the result carries doubt, and the
copy waits for a human. :func:`still_identifies` is a second opinion by other means: ask it about
the composed copy, and let nothing leave that it says yes to.

What it cannot see: writing style, a hint in words ("the man who reported the last one"), initials,
pictures, and identity under compression or encryption.

Policy: "wij delen uw persoonlijke gegevens niet met anderen zonder uw toestemming".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .scrub_doubt import doubts_about_cuts, signs_of_doubt
from .scrub_gate import still_identifies
from .scrub_identity import Identity, Kind, is_ordinary, leftovers
from .scrub_phones import phones
from .scrub_shapes import Found, shapes
from .scrub_traces import trace

__all__ = ["Identity", "Scrubbed", "scrub", "still_identifies"]

# Where places overlap, the one marker that stands for all of them is the first of these.
_RANK: tuple[Kind, ...] = (
    "signature",
    "quote",
    "encoded",
    "key",
    "address",
    "phone",
    "handle",
    "name",
    "number",
)
_JOINTS = frozenset(" .,'-")


@dataclass(frozen=True)
class Scrubbed:
    """A text without its writer, how often each kind was removed, and why a human should look."""

    text: str
    removed: Mapping[str, int]
    doubt: tuple[str, ...]


def scrub(text: str, identity: Identity) -> Scrubbed:
    """The report without its reporter; text without any trace comes back as it was."""
    places = _merged(text, (*shapes(text), *phones(text), *trace(text, identity)))
    clean = _without(text, places)
    doubt = signs_of_doubt(clean) | leftovers(clean, identity)
    doubt |= doubts_about_cuts(text, clean, _cuts(text, places, "signature"))
    if any(is_ordinary(cut) for cut in _cuts(text, places, "name", "handle")):
        doubt.add("common_name")
    doubt |= {"encoded", "number"}.intersection(place.kind for place in places)
    if still_identifies(clean, identity):
        doubt.add("still_identifies")
    removed = Counter(place.kind for place in places)
    return Scrubbed(clean, dict(removed), tuple(sorted(doubt)))


def _cuts(text: str, places: Iterable[Found], *kinds: Kind) -> list[str]:
    return [text[place.start : place.end] for place in places if place.kind in kinds]


def _merged(text: str, places: Iterable[Found]) -> list[Found]:
    """The places in order, overlapping ones as one."""
    merged: list[Found] = []
    for place in sorted(places):
        if merged and _belong_together(text, merged[-1], place):
            last = merged.pop()
            kind = last.kind if _RANK.index(last.kind) < _RANK.index(place.kind) else place.kind
            place = Found(last.start, max(last.end, place.end), kind)
        merged.append(place)
    return merged


def _belong_together(text: str, left: Found, right: Found) -> bool:
    if right.start < left.end:
        return True
    between = text[left.end : right.start]
    return left.kind == right.kind and len(between) <= 2 and _JOINTS.issuperset(between)


def _without(text: str, places: Iterable[Found]) -> str:
    parts: list[str] = []
    done = 0
    for place in places:
        parts += (text[done : place.start], f"[removed: {place.kind}]")
        done = place.end
        if text[place.end - 1 : place.end] == "\n":
            parts.append("\n")
    return "".join((*parts, text[done:]))

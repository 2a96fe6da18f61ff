"""How severe a vulnerability is: a rating, and the CVSS vector that it follows from where there is one.

CVSS 3.0, 3.1 and 4.0 of FIRST. Where a vector tells of threat or surroundings, its score is the one that
counts them in, as the specifications mean it to be used.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cvss import CVSS3, CVSS4, CVSSError

from .errors import Refused


class Severity(StrEnum):
    """The ratings of CVSS, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"


#: How a report is called that nobody has rated yet.
UNRATED = "unrated"


@dataclass(frozen=True)
class Rating:
    """A severity; one that was judged without a vector has no score."""

    severity: Severity
    score: float | None = None
    vector: str | None = None

    def __str__(self) -> str:
        """As handlers read it: ``high, 7.5 (CVSS:3.1/AV:N/…)``, or ``high``."""
        return f"{self.severity}, {self.score:.1f} ({self.vector})" if self.vector else self.severity.value


LONGEST = 300  # twice what a vector with every metric takes
LIKE_A_VECTOR = re.compile(r"CVSS:(3\.[01]|4\.0)(/[A-Z]{1,3}:[A-Za-z]{1,5})+")
#: What may be said back of something that is no vector: a number, an older or a broken one. Anything else
#: may be a reporter's words in the wrong field.
MAY_BE_REPEATED = re.compile(
    r"(CVSS:[0-9.]{1,3}|[0-9]{1,2}(\.[0-9])?|AV:[A-Z])?(/[A-Z]{1,3}:[A-Z]{1,5})*/?", re.IGNORECASE
)
WAY_OUT = (
    "give the whole vector as a CVSS calculator shows it, of version 3.0, 3.1 or 4.0, such as"
    " CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N, or only a severity"
)


def rating_by_vector(text: str) -> Rating:
    """The rating that a CVSS vector stands for, which is written in the order of its specification.

    Raises :class:`Refused`.
    """
    given = text.strip()
    if len(given) > LONGEST or not LIKE_A_VECTOR.fullmatch(given):
        raise Refused(f"the CVSS vector {_shown(given)} cannot be read: {WAY_OUT}")
    try:
        return _read(given)
    except CVSSError as error:
        raise Refused(f"the CVSS vector {given} cannot be read ({error}): {WAY_OUT}") from None
    except Exception:  # whatever else the library stumbles over is no rating either
        raise Refused(f"the CVSS vector {given} cannot be rated: {WAY_OUT}") from None


def _read(vector: str) -> Rating:
    """What the library makes of a vector; metrics that are "not defined" are as if they were not there."""
    standard: Any = CVSS4 if vector.startswith("CVSS:4.0/") else CVSS3
    in_order = standard(vector).clean_vector()
    facts = standard(in_order).as_json(minimal=True)
    counted = next(kind for kind in ("environmental", "temporal", "base") if f"{kind}Score" in facts)
    return Rating(Severity(facts[f"{counted}Severity"].lower()), facts[f"{counted}Score"], in_order)


def _shown(given: str) -> str:
    is_like_one = len(given) <= LONGEST and MAY_BE_REPEATED.fullmatch(given)
    return repr(given) if is_like_one else f"of {len(given)} characters"

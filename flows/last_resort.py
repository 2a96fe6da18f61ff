"""The last resort: when mail does not do, the operator's own program tells a human.

It is started for each thing until it has ended well once, with a line of JSON on its input: codes, numbers
and names of clocks, never a word of a report. What it could not tell is told again at the next sweep.
"""

import json
import logging
import subprocess
from collections.abc import Mapping
from datetime import timedelta

from ..models.alarms import AlarmKind, Look, claim_telling, note_told, take_note, untold
from ..models.unreached import Unreached, told_to_nobody, unreached
from ..settings import LastResort
from .installation import Installation

LOG = logging.getLogger(__name__)


def is_told(config: LastResort, what: Mapping[str, str]) -> bool:
    """Run the program; ``False`` where there is none, and where it does not end well in time."""
    if not config.command:
        return False
    line = json.dumps(dict(what)) + "\n"
    try:
        done = subprocess.run(
            config.command,
            input=line.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=config.timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        LOG.warning("alarm.command cannot be run (%s)", type(error).__name__)
        return False
    if done.returncode:
        LOG.warning("alarm.command ended with %s", done.returncode)
    return done.returncode == 0


def reach(place: Installation) -> list[str]:
    """Tell by the program of rungs that nobody hears of by mail; gives the tickets of which nobody is told.

    That is one whose mail has not left in time, and one that names nobody.
    """
    now = place.clock()
    with place.database.reading() as session:
        late = unreached(session, now - timedelta(minutes=place.config.alarm.after_minutes))
        alone = told_to_nobody(session)
    what = {str(one): _named(one, "not_sent") for one in late}
    what |= {str(one): _named(one, "nobody_to_tell") for one in alone}
    with place.database.unit_of_work() as session:
        take_note(session, [Look(AlarmKind.NOBODY_REACHED, frozenset(what))], now=now)
    unheard = tell_by_program(place, AlarmKind.NOBODY_REACHED, what)
    return list(dict.fromkeys(what[about]["reference"] for about in unheard))


def tell_by_program(place: Installation, kind: AlarmKind, what: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Tell of each open alarm of a kind that was not told of; gives those that are still untold.

    ``what`` says of each of them what the program gets.
    """
    with place.database.reading() as session:
        untold_ones = [about for about in untold(session, kind) if about in what]
    left = sorted(untold_ones)
    for about in untold_ones if place.config.alarm.command else ():
        if not _is_ours(place, kind, about):
            continue
        if not is_told(place.config.alarm, what[about]):
            break  # it would fail for the others as well
        with place.database.unit_of_work() as session:
            note_told(session, kind, about)
        left.remove(about)
    return left


def _is_ours(place: Installation, kind: AlarmKind, about: str) -> bool:
    """Whether we are to tell of an alarm; nobody else does then until about the next sweep."""
    now, config = place.clock(), place.config
    lasting = timedelta(seconds=config.alarm.timeout_seconds, minutes=config.clocks.sweep_minutes / 2)
    with place.database.unit_of_work() as session:
        return claim_telling(session, kind, about, now=now, until=now + lasting)


def _named(one: Unreached, kind: str) -> dict[str, str]:
    return {"kind": kind, "reference": one.reference, "clock": one.clock, "rung": one.rung}

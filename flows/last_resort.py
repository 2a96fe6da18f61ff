"""The last resort: when mail does not do, the operator's own program tells a human.

It is started once for each thing, with a line of JSON on its input: codes, numbers and names of clocks,
never a word of a report. What it could not tell is told again at the next sweep.
"""

import json
import logging
import subprocess
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from ..models.alarms import AlarmKind, Look, open_alarms, take_note
from ..models.ladder import Fired
from ..models.unreached import Unreached, unreached
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


def reach(place: Installation, fired: Iterable[Fired]) -> list[str]:
    """Tell by the program of rungs that nobody hears of by mail; gives the tickets of which nobody is told.

    One whose mail has not left in time is told of once.
    """
    alone = [_named(rung) for rung in fired if rung.told == 0]
    missed = {str(one): one for one in _unreached(place)}
    with place.database.reading() as session:
        known = set(open_alarms(session).get(AlarmKind.NOBODY_REACHED.value, ())) & set(missed)
    config = place.config.alarm
    told_before = known if config.command else set[str]()
    unheard, told = list[str](), set[str]()
    for one, kind in [*((one, "nobody_to_tell") for one in alone), *_each(missed, told_before)]:
        what = {"kind": kind, "reference": one.reference, "clock": one.clock, "rung": one.rung}
        if not unheard and is_told(config, what):  # one that fails would fail for the others as well
            told.add(str(one))
        else:
            unheard.append(one.reference)
    noted = (told_before | told) & set(missed) if config.command else set(missed)
    with place.database.unit_of_work() as session:
        take_note(session, [Look(AlarmKind.NOBODY_REACHED, frozenset(noted))], now=place.clock())
    return list(dict.fromkeys(unheard))


def _each(missed: Mapping[str, Unreached], told: Collection[str]) -> list[tuple[Unreached, str]]:
    return [(one, "not_sent") for name, one in missed.items() if name not in told]


def _unreached(place: Installation) -> list[Unreached]:
    before = place.clock() - timedelta(minutes=place.config.alarm.after_minutes)
    with place.database.reading() as session:
        return unreached(session, before)


def _named(rung: Fired) -> Unreached:
    return Unreached(rung.reference, rung.clock, rung.rung)

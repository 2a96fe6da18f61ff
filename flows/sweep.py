"""Sweep: the rungs of the escalation ladder that are due fire, once each; keys are watched over.

Any number of sweepers may run at once: each clock is a transaction of its own, and a rung is a row
that can be written only once.
"""

from collections.abc import Callable

from prefect import flow, get_run_logger
from sqlalchemy.exc import IntegrityError

from ..models.ladder import Fired, climb, due_clocks
from ..models.rewinding import bring_up_to_date
from .calendars import follow_calendar, wind_anew
from .discretion import WorkFailed, discreet
from .installation import Installation, installation
from .key_watch import watch_keys
from .last_resort import reach
from .rota_watch import watch_rota
from .watching import WORKED_ON_END, give_sign_of_life, note_stopped


@flow(name="sweep", flow_run_name="sweep")
def sweep() -> int:
    """Fire what is due; gives how many rungs fired. Fails, for Prefect to show, when nobody is told."""
    with discreet("sweep"):
        place = installation()
        tell = get_run_logger().info
        failed = follow_calendar(place, tell)
        fired = list[Fired]()

        def fire() -> None:
            now_fired, not_fired = fire_what_is_due(place)
            fired.extend(now_fired)
            failed.extend(not_fired)

        fire()
        failed += wind_anew(place, tell, between=fire)
        unheard = list[str]()
        failed += _by_itself("reach", lambda: unheard.extend(reach(place)))
        failed += _by_itself("sign of life", lambda: _live(place))
        failed += _by_itself("keys", lambda: failed.extend(watch_keys(place, place.keyring)))
        failed += _by_itself("rota", lambda: watch_rota(place))
        for rung in fired:
            get_run_logger().info("%s: %s, %d told", rung.reference, rung.rung, rung.told)
    if unheard:
        named = ", ".join(unheard)
        raise WorkFailed(f"nobody reachable for {named}: configure triage, see what `meldbalie outbox` lists")
    if failed:
        raise WorkFailed("; ".join(failed))
    return len(fired)


def _live(place: Installation) -> None:
    if give_sign_of_life(place):
        note_stopped(place, WORKED_ON_END)


def _by_itself(work: str, do: Callable[[], object]) -> list[str]:
    """Do one thing of the sweep; gives what failed, so that what comes after it is done all the same."""
    try:
        with discreet(work):
            do()
    except WorkFailed as failure:
        return [str(failure)]
    return []


def fire_what_is_due(place: Installation) -> tuple[list[Fired], list[str]]:
    """Fire the rungs that are due now, the oldest first; gives what fired, and what failed and where.

    One clock that fails never stops the others.
    """
    now = place.clock()
    with place.database.reading() as session:
        due = due_clocks(session, now)
    fired: list[Fired] = []
    failed: list[str] = []
    for clock_id in due:
        try:
            with discreet(f"clock {clock_id}"):
                fired += _climb(place, clock_id)
        except WorkFailed as failure:
            failed.append(str(failure))
    return fired, failed


def _climb(place: Installation, clock_id: int) -> list[Fired]:
    try:
        with place.database.unit_of_work() as session:
            bring_up_to_date(session, clock_id, place.promise, now=place.clock())
            rung = climb(session, clock_id, place.promise, now=place.clock())
    except IntegrityError:  # another sweeper was first
        return []
    return [rung] if rung else []

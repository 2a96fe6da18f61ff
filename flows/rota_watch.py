"""The watch of the on-call rota, in every sweep: who answers has to be known before the night comes."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from ..models.alarms import AlarmKind, Look, take_note, tell_of_alarms
from ..models.rota import Gap
from ..models.rota_file import RotaFile
from .installation import Installation


def watch_rota(place: Installation) -> None:
    """Tell the handlers of a gap that begins soon, again when it has begun, and daily of a rota of no use."""
    known, now = place.promise.rota, place.clock()
    if not isinstance(known, RotaFile):
        return
    soon = now + timedelta(days=place.config.rota.warn_days)
    gaps = known.rota(now).gaps(now, soon)
    with place.database.unit_of_work() as session:
        looks = [
            Look(AlarmKind.ROTA_GAP, frozenset(_begin(place, gap) for gap in gaps)),
            Look(
                AlarmKind.ROTA_UNUSABLE,
                frozenset({str(place.promise.local_day(now))} if known.problem else ()),
            ),
        ]
        if take_note(session, looks, now=now):
            tell_of_alarms(session, place.promise, now=now)


def _begin(place: Installation, gap: Gap) -> str:
    """When a gap begins, local time; ``now`` for one that we are in."""
    if gap.begins_at <= place.clock():
        return "now"
    return f"{gap.begins_at.astimezone(ZoneInfo(place.config.organisation.zone)):%Y-%m-%d %H:%M}"

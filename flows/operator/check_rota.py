"""What `meldbalie check` finds about the on-call rota: whether it can be read, and where it has gaps."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ...settings import Settings
from ..installation import rota_file
from .finding import Finding, ok, warning, wrong

LOOKED_AHEAD = timedelta(days=30)
MOST_GAPS = 10


def rota(config: Settings, now: datetime) -> Iterator[Finding]:
    """Every line that cannot be used, and every gap of the next 30 days."""
    known = rota_file(config)
    if known is None:
        yield ok("there is none: what is for the person on call goes to `on_call`")
        return
    shifts = known.rota(now)
    if known.problem:
        lines = known.problem.splitlines()
        yield from (wrong(f"{known.file}: {line}", "correct it, then check again") for line in lines)
        return
    gaps = shifts.gaps(now, now + LOOKED_AHEAD)
    if not gaps:
        yield ok(f"{known.file} has somebody on duty for the next {LOOKED_AHEAD.days} days")
    zone = ZoneInfo(config.organisation.zone)
    for gap in gaps[:MOST_GAPS]:
        begins, ends = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (gap.begins_at, gap.ends_at))
        yield warning(f"nobody is on duty from {begins} until {ends}", f"add a shift to {known.file}")
    if len(gaps) > MOST_GAPS:
        yield warning(f"and {len(gaps) - MOST_GAPS} more gaps", f"add shifts to {known.file}")

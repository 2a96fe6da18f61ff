"""What `meldbalie check` finds about the second factor: whether each handler can prove who they are."""

from collections.abc import Iterator

from sqlalchemy import select

from ...models.pins import Pin
from ...models.session import Database
from ...settings import Settings
from .finding import Finding, ok, warning


def second_factor(config: Settings, database: Database) -> Iterator[Finding]:
    """Every handler who has neither a key that the link could be sealed to, nor a PIN where one is asked."""
    handlers = {person.name: bool(person.fingerprint) for person in config.triage}
    lacking, mend = "a pinned key, so no link can be sealed to them", "pin their key's fingerprint"
    if config.desk.second_factor == "pin":
        with database.reading() as session:
            have_one = set(session.scalars(select(Pin.person)))
        handlers = {name: name in have_one for name in handlers}
        lacking, mend = "a PIN", "meldbalie pins set NAME"
    cannot = [name for name, can in handlers.items() if not can]
    for name in cannot:
        yield warning(f"{name} cannot close, join or release, for want of {lacking}", mend)
    if not cannot:
        yield ok(f"{len(handlers)} handlers can prove who they are, by {config.desk.second_factor}")

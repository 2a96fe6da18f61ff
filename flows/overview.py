"""The desk at a glance: pages in Prefect that refresh themselves, made from the database alone.

The open tickets by due date, and today's duty; the third page is that of :mod:`.report`. What is on them is
references, states, dates, codes, and the names of owners and of the organisation's own people.
"""

from .artifacts import post
from .duty import duty
from .installation import Installation
from .key_watch import known_keys, watched_keys
from .open_tickets import open_tickets
from .saved_links import OPEN_TICKETS, TODAY


def refresh(place: Installation) -> list[str]:
    """Bring the pages up to date; gives the keys of those that had changed."""
    now, keys = place.clock(), known_keys(place.keyring)
    with place.database.reading() as session:
        watched = watched_keys(session, place.config, place.promise, keys, now)
        pages = {OPEN_TICKETS: open_tickets(place, session), TODAY: duty(place, session, watched)}
    return [key for key, words in pages.items() if post(place, key, words)]

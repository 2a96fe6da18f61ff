"""Who may act at the desk: the handlers, as the settings name them."""

from ..models.errors import Refused
from ..models.people import Correspondent
from .installation import Records


def handler_called(place: Records, name: str) -> Correspondent:
    """The handler of a name, also of two who share an address; raises :class:`Refused` for anybody else.

    The refusal does not say the name back: it stands on cards, and what was typed may be a reporter's.
    """
    handlers = {person.name: person for person in place.config.triage}
    if name not in handlers:
        known = ", ".join(handlers) or "nobody yet"
        raise Refused(f"there is no handler of that name, and nothing was done; handlers are: {known}")
    found = handlers[name]
    return Correspondent(found.name, found.address, found.fingerprint)

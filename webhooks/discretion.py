"""What may stand in a log: never a secret link, and never the address of who asked.

A reporter may want to stay anonymous, and whoever reads a log must not be able to open a page.
So routes are logged, not paths; and every line that others write passes :func:`masked`.
"""

import logging
import re

from flask import request

from .site import route_in_words

ROUTE_KEY = "meldbalie.route"
MASK = "[secret]"

_SECRETS = re.compile(
    r"(?P<path>/s/|/a/|/c/|/api/v1/status/)(?!<token>)[^\s\"']+"
    r"|(?P<bearer>\bBearer\s+)[^\s\"']+"
    r"|(?P<refused>Invalid request from ip=).*",
    re.IGNORECASE,
)


def masked(line: str) -> str:
    """A log line without what opens a page; of a request that gunicorn refuses nothing is kept."""
    return _SECRETS.sub(lambda found: "".join(part or "" for part in found.groups()) + MASK, line)


class DiscreetFormatter(logging.Formatter):
    """Formats a record, with its traceback, and masks the result."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished line, masked."""
        return masked(super().format(record))


class DiscreetFilter(logging.Filter):
    """Masks the message of a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, masked."""
        record.msg, record.args = masked(record.getMessage()), ()
        return True


_filter = DiscreetFilter()


def silence_the_development_server() -> None:
    """Mask the paths that Werkzeug's own server logs; doing it twice changes nothing."""
    logging.getLogger("werkzeug").addFilter(_filter)


def name_the_route() -> None:
    """Leave the route, not the path, where gunicorn's access log finds it."""
    request.environ[ROUTE_KEY] = route_in_words()

"""The Flask application with what every request needs: the settings, and a clock that tests can set."""

import logging
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import cast
from zoneinfo import ZoneInfo

from flask import Flask, current_app, request

from ..settings import Settings

Clock = Callable[[], datetime]
Failure = tuple[type[BaseException], BaseException, TracebackType | None]

HERE = Path(__file__).parent
log = logging.getLogger(__name__)


class Site(Flask):
    """One web app of one installation."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(__name__, root_path=str(HERE), instance_path=str(HERE))
        self.settings = settings
        self._clock = clock
        # A slash too many must not be answered with a redirect that repeats a secret.
        self.url_map.merge_slashes = False

    def local_now(self) -> datetime:
        """The present, in the zone that the organisation counts its days in."""
        return self._clock().astimezone(ZoneInfo(self.settings.organisation.zone))

    def log_exception(self, exc_info: Failure | tuple[None, None, None]) -> None:
        """Write down what failed and where, without any value: a path or a message may hold a secret."""
        kind, _, trace = exc_info
        name = kind.__qualname__ if kind else "failure"
        log.error("%s in %s %s%s", name, request.method, route_in_words(), _places(trace))


def site() -> Site:
    """The app that answers this request."""
    return cast(Site, current_app)


def route_in_words() -> str:
    """The rule that a request matched, such as ``/s/<token>``; ``-`` when it matched none."""
    return request.url_rule.rule if request.url_rule else "-"


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return "".join(f"\n  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)

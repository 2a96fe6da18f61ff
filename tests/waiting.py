"""Waiting for another process: as long as it takes, within a bound, and no longer than it takes."""

import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.25


def until(look: Callable[[], Found | None], what: str) -> Found:
    """What a look finds, once it finds anything; fails with what was waited for."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / LOOK_AGAIN_SECONDS)):
        found = look()
        if found:
            return found
        pause.wait(LOOK_AGAIN_SECONDS)
    raise AssertionError(f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}")

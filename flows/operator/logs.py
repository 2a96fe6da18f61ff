"""Where the output of the supervised processes goes: a file each, or our own standard output.

Files suit a terminal; standard output suits systemd and containers, which keep and turn logs
themselves. The processes write to their files directly, so nothing is lost when the supervisor dies.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MAX_BYTES = 10 * 2**20


@dataclass(frozen=True)
class Logs:
    """A directory with one log a process; ``None`` stands for the supervisor's standard output."""

    directory: Path | None
    max_bytes: int = DEFAULT_MAX_BYTES

    def file(self, name: str) -> Path | None:
        """The log of a process."""
        return self.directory / f"{name}.log" if self.directory else None

    def open(self, name: str) -> int | None:
        """A descriptor that appends to the log of a process; the caller closes it."""
        if (file := self.file(name)) is None:
            return None
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def turn(self, name: str) -> None:
        """Put a log that has grown too large away as ``.1``, in place of the one before it.

        The process goes on writing to the same file. What it writes between the copy and the cut,
        some milliseconds, is lost.
        """
        file = self.file(name)
        if file is None or not file.exists() or file.stat().st_size <= self.max_bytes:
            return
        shutil.copy2(file, file.with_suffix(".log.1"))
        os.truncate(file, 0)

    def last_words(self, name: str, count: int = 12) -> list[str]:
        """The last lines of a log, to be shown when its process failed."""
        file = self.file(name)
        if file is None or not file.exists():
            return []
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - 20_000))
            return stream.read().decode("utf-8", "replace").splitlines()[-count:]

"""Which process this is, and whether another one of this machine has died.

A process is named by the boot of its kernel, its PID namespace (a container has its own), its number,
and its start, because numbers are given out again. Of a process elsewhere nothing is known.
"""

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_STATE, _START = 0, 19  # the third and the twenty-second field of /proc/PID/stat (proc(5)), after the name
_ENDED = ("Z", "X")


def this_process() -> str | None:
    """The name of this process; ``None`` where the system does not tell (it is not Linux)."""
    here, told = _here(), _told(os.getpid())
    return f"{here}/{os.getpid()}/{told[_START]}" if here and told else None


def has_died(process: str) -> bool:
    """Whether a process is gone for certain; ``False`` as well for one that cannot be seen from here."""
    where, _, start = process.rpartition("/")
    here, _, number = where.rpartition("/")
    if not number.isdecimal() or here != _here():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        pass
    told = _told(int(number))
    return told is not None and (told[_STATE] in _ENDED or told[_START] != start)


@cache
def _here() -> str | None:
    """The kernel since its boot, and the PID namespace: where process numbers mean the same as here."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return None


def _told(pid: int) -> list[str] | None:
    """What the kernel tells of a process, from its state on; ``None`` when it tells nothing."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return stat.rpartition(b")")[2].decode("ascii").split()

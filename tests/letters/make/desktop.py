"""A screen that nobody sees, and fingers on its keyboard, for clients that have no other door."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .stage import HOME, OUTGOING

DISPLAY = ":97"
ENVIRONMENT = os.environ | {"DISPLAY": DISPLAY, "NO_AT_BRIDGE": "1", "GTK_USE_PORTAL": "0"}


@contextmanager
def screen() -> Iterator[None]:
    """An X server and a session bus."""
    server = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", "1200x900x24"], stderr=subprocess.DEVNULL)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--print-address", "--nofork"], stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    assert bus.stdout is not None
    ENVIRONMENT["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
    time.sleep(1)
    manager = subprocess.Popen(
        ["matchbox-window-manager", "-use_titlebar", "no"], env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    time.sleep(1)
    try:
        yield
    finally:
        manager.terminate()
        manager.wait()
        bus.terminate()
        server.terminate()
        bus.wait()
        server.wait()


def start(*command: str, log: str = "desktop.log") -> subprocess.Popen[bytes]:
    """Start a program on that screen."""
    with (HOME / log).open("ab") as file:
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=file, stderr=file, cwd=HOME)


def xdotool(*args: str) -> str:
    """Type, or look for windows."""
    return subprocess.run(
        ["xdotool", *args], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=10
    ).stdout


def window(name: str, seconds: float = 20) -> str:
    """Wait for a window with this in its title, and give its number."""
    for _ in range(int(seconds * 5)):
        found = xdotool("search", "--onlyvisible", "--name", name).split()
        if found:
            return found[-1]
        time.sleep(0.2)
    subprocess.run(["scrot", str(HOME / "screen.png")], env=ENVIRONMENT, check=False)
    shown = "\n".join(
        xdotool("getwindowname", number).strip()
        for number in xdotool("search", "--onlyvisible", "--name", "").split()
    )
    raise RuntimeError(f"no window {name!r} came; there are:\n{shown}")


def press(number: str, *keys: str) -> None:
    """Press keys in a window."""
    xdotool("windowactivate", number)
    for key in keys:
        xdotool("key", key)
        time.sleep(0.2)


def wait_for_mail(seconds: float = 15) -> None:
    """Wait until something was sent."""
    for _ in range(int(seconds * 5)):
        if list(OUTGOING.glob("*.eml")):
            return
        time.sleep(0.2)

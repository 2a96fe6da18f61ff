"""Ports for servers that tests start."""

import random
import socket
from contextlib import suppress

#: Below those that the system gives to whoever asks for any: nobody else comes by one of these.
FIRST, LAST = 20_000, 30_000


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    while True:
        port = random.randrange(FIRST, LAST)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

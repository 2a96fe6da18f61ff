"""What folders are called: one name of ours, spelled as each server wants it."""

from collections.abc import Iterable

from .imap_session import Client


def namespace(client: Client) -> tuple[str, str]:
    """The prefix and the delimiter of our own folders, such as ``("INBOX.", ".")`` (RFC 2342)."""
    personal = (client.namespace() or (None,))[0]
    prefix, delimiter = personal[0] if personal else ("", "/")
    return prefix, delimiter or "/"


def spelled(folder: str, present: Iterable[str], prefix: str, delimiter: str) -> str:
    """The name that the server knows a folder of ours by; ``/`` stands for any delimiter."""
    if folder in present:
        return folder
    name = folder.replace("/", delimiter)
    return name if name.startswith(prefix) else prefix + name


def as_text(name: bytes | str) -> str:
    """A name that a server told, such as a capability."""
    return name.decode("ascii", "replace") if isinstance(name, bytes) else name

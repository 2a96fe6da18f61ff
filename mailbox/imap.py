"""The intake mailbox, over IMAP: what waits there, its bytes, and where it is put away.

Rules that each cost somebody a report: flags such as ``\\Seen`` say nothing, because people open the
mailbox too; a message leaves the inbox, by UID, only after our database has it; and nothing is
expunged but what we put away ourselves.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

from imapclient.exceptions import IMAPClientError

from .connection import response_code
from .errors import FolderRefused, ServerUnreachable
from .imap_session import (
    Client,
    ImapAccount,
    close,
    in_passing,
    is_refusal,
    open_session,
    translated,
    untagged,
    wait_for_words,
)

__all__ = ["ImapAccount", "IntakeMailbox", "Waiting"]

_BATCH = 500  # UIDs in one command: servers take lines of some 8,000 characters (RFC 7162, 4)
_IDLE_SECONDS = 60.0  # servers hang up after 29 minutes, routers after 10, and a dead link is silent
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Waiting:
    """A message in the inbox: its UID, its size in bytes, and when it arrived (INTERNALDATE)."""

    uid: int
    size: int
    arrived_at: datetime


class IntakeMailbox:
    """A connection to the intake mailbox; a context manager that logs in and out.

    After an exception the connection is of no more use: leave the context and enter it again.
    """

    def __init__(self, account: ImapAccount) -> None:
        """Take the account; nothing is connected before the context is entered."""
        self._account = account
        self._client: Client | None = None
        self._names: dict[str, str] = {}
        self._told = 0
        self.uidvalidity = 0
        self.capabilities: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Connect, log in, make the folders that are missing and open the inbox.

        Raises :class:`ConnectionNotPrivate`, :class:`LoginRefused`, :class:`FolderRefused` or
        :class:`ServerUnreachable`.
        """
        self._told = 0
        self._client = open_session(self._account)
        try:
            with self._doing("looking for the folders") as client:
                self.capabilities = frozenset(_text(name).upper() for name in client.capabilities())
                self._find_folders(client)
            with self._doing("opening the inbox") as client:
                self._open_inbox(client)
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out, or drop the connection after an exception."""
        if error is None and self._client is not None:
            with in_passing():
                self._client.logout()
        self._hang_up()

    def waiting(self) -> list[Waiting]:
        """Every message in the inbox, the lowest UID first, whether or not somebody has read it.

        On a server that has neither MOVE nor UIDPLUS what we put away stays in the inbox, flagged
        as deleted; only there are messages left out that carry that flag.
        """
        with self._doing("listing the inbox") as client:
            client.noop()  # or else the server may answer from what it saw last
            uids = sorted(client.search(self._criteria()))
            self._told = max([self._told, *uids])
            found: dict[int, dict[bytes, Any]] = {}
            for batch in _batches(uids):
                found.update(client.fetch(batch, ["RFC822.SIZE", "INTERNALDATE"]))
        # One that vanished meanwhile is not told of; one whose flags changed may be, without a size.
        return [_waiting(uid, found[uid]) for uid in uids if b"INTERNALDATE" in found.get(uid, {})]

    def fetch(self, uid: int) -> bytes | None:
        """The message exactly as the server holds it; ``None`` when it has left the inbox.

        Flags stay as they are (BODY.PEEK).
        """
        with self._doing("fetching a message") as client:
            try:
                answer = client.fetch([uid], ["BODY.PEEK[]"])
            except IMAPClientError as error:
                if response_code(error) not in {"EXPUNGEISSUED", "NONEXISTENT"}:
                    raise
                answer = {}
        return cast("bytes | None", answer.get(uid, {}).get(b"BODY[]"))

    def put_away(self, uids: Sequence[int], folder: str) -> None:
        """Move messages out of the inbox into a folder; UIDs that have left it are passed over.

        Without MOVE it copies first and deletes then, so a failure in between leaves a second copy
        and loses none. Other people's deleted messages are never expunged.
        """
        with self._doing(f"moving messages to {folder}") as client:
            for batch in _batches(sorted(set(uids))):
                self._put_away(client, batch, self._server_name(folder))

    def wait(self, seconds: float) -> None:
        """Return as soon as there is a message that :meth:`waiting` has not told yet.

        Returns after ``seconds`` when none comes. A dead link raises :class:`ServerUnreachable`
        within a minute and the account's timeout.
        """
        end = time.monotonic() + seconds
        idles = "IDLE" in self.capabilities
        with self._doing("waiting for mail") as client:
            while not self._has_news(client) and (left := end - time.monotonic()) > 0:
                if idles:
                    _idle(client, min(left, _IDLE_SECONDS))
                else:
                    time.sleep(min(left, _POLL_SECONDS))
                    client.noop()

    def count(self, folder: str) -> int:
        """How many messages a folder holds; for the inbox, how many :meth:`waiting` would tell."""
        with self._doing("counting messages") as client:
            if folder == self._account.inbox:
                return len(client.search(self._criteria()))
            return client.folder_status(self._server_name(folder), ["MESSAGES"])[b"MESSAGES"]

    def folders(self) -> list[str]:
        """The names of all folders, as the server spells them."""
        with self._doing("listing the folders") as client:
            return [name for _, _, name in client.list_folders()]

    def _find_folders(self, client: Client) -> None:
        prefix, delimiter = _namespace(client) if "NAMESPACE" in self.capabilities else ("", "/")
        present = {name for _, _, name in client.list_folders()}
        for folder in (self._account.archive, self._account.quarantine):
            name = _spelled(folder, present, prefix, delimiter)
            self._names[folder] = name
            if name not in present:
                self._make_folder(client, name)

    def _make_folder(self, client: Client, name: str) -> None:
        try:
            client.create_folder(name)
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            if not client.folder_exists(name):
                raise FolderRefused(
                    f"{self._where} does not let {self._account.user} make the folder {name}: make"
                    " it by hand, or name another one in the settings"
                ) from None
        with in_passing():
            client.subscribe_folder(name)  # so that people's mail programs show it

    def _open_inbox(self, client: Client) -> None:
        inbox = self._account.inbox
        try:
            selected = client.select_folder(inbox)
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            selected = {b"READ-ONLY": True}
        if b"READ-ONLY" in selected:
            raise FolderRefused(
                f"{self._where} does not let {self._account.user} open the folder {inbox} for"
                " writing: correct the setting inbox, or the rights on that folder"
            )
        self.uidvalidity = int(selected[b"UIDVALIDITY"])

    def _put_away(self, client: Client, uids: list[int], folder: str) -> None:
        transfer = client.move if "MOVE" in self.capabilities else client.copy
        try:
            transfer(uids, folder)
        except IMAPClientError as error:
            if not is_refusal(error) and response_code(error) != "EXPUNGEISSUED":
                raise
            self._make_folder(client, folder)  # somebody may have removed it
            client.noop()  # lets the server see what others expunged
            self._transfer_or_refuse(transfer, uids, folder)
        if "MOVE" not in self.capabilities:
            client.add_flags(uids, [b"\\Deleted"], silent=True)
            if "UIDPLUS" in self.capabilities:
                client.uid_expunge(uids)

    def _transfer_or_refuse(
        self, transfer: Callable[[list[int], str], object], uids: list[int], folder: str
    ) -> None:
        try:
            transfer(uids, folder)
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            raise FolderRefused(
                f"{self._where} does not let {self._account.user} put messages into {folder}: correct the"
                " rights on that folder, or name another one in the settings"
            ) from None

    def _has_news(self, client: Client) -> bool:
        """Whether a message is there that :meth:`waiting` has not told yet.

        One that comes in the middle of this search is told at the end of its answer, and would not
        be told again while idling: that counts as well.
        """
        came = untagged(client, "EXISTS")
        found = client.search(self._criteria(f"UID {self._told + 1}:*"))
        # "n:*" always holds the last message, even where its UID is below n (RFC 3501 6.4.8).
        return any(uid > self._told for uid in found) or came()

    def _criteria(self, only: str = "ALL") -> str:
        leaves_deleted = not {"MOVE", "UIDPLUS"} & self.capabilities
        return f"{only} UNDELETED" if leaves_deleted else only

    def _server_name(self, folder: str) -> str:
        return self._names.get(folder, folder)

    @property
    def _where(self) -> str:
        return f"{self._account.host}:{self._account.port}"

    @contextmanager
    def _doing(self, attempted: str) -> Generator[Client]:
        if self._client is None:
            raise ServerUnreachable(f"there is no session with {self._where}: enter the context")
        with translated(self._account, attempted):
            yield self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            close(self._client)
            self._client = None


def _idle(client: Client, seconds: float) -> None:
    """Let the server tell what happens; what it told is looked up by who waits.

    DONE is answered by a living server only, so this raises on a link that has died.
    """
    client.idle()
    wait_for_words(client, seconds)
    client.idle_done()


def _batches(uids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(uids), _BATCH):
        yield list(uids[start : start + _BATCH])


def _waiting(uid: int, told: dict[bytes, Any]) -> Waiting:
    arrived_at = cast("datetime", told[b"INTERNALDATE"]).astimezone(UTC)
    return Waiting(uid, int(told[b"RFC822.SIZE"]), arrived_at)


def _namespace(client: Client) -> tuple[str, str]:
    """The prefix and the delimiter of our own folders, such as ``("INBOX.", ".")`` (RFC 2342)."""
    personal = (client.namespace() or (None,))[0]
    prefix, delimiter = personal[0] if personal else ("", "/")
    return prefix, delimiter or "/"


def _spelled(folder: str, present: set[str], prefix: str, delimiter: str) -> str:
    """The name that the server knows a folder of ours by; ``/`` stands for any delimiter."""
    if folder in present:
        return folder
    name = folder.replace("/", delimiter)
    return name if name.startswith(prefix) else prefix + name


def _text(name: bytes | str) -> str:
    return name.decode("ascii", "replace") if isinstance(name, bytes) else name

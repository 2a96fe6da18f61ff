"""The intake mailbox, over IMAP: what waits there, its bytes, and where it is put away.

Rules that each cost somebody a report: flags such as ``\\Seen`` say nothing, because people open the
mailbox too; a message leaves the inbox, by UID, only after our database has it; and nothing is
expunged but what we put away ourselves.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

from imapclient.exceptions import IMAPClientError, IMAPClientReadOnlyError

from .connection import response_code
from .errors import FolderRefused, ServerUnreachable
from .folder_names import as_text, namespace, spelled
from .imap_session import (
    Client,
    ImapAccount,
    begin_to_idle,
    close,
    in_passing,
    is_refusal,
    numbers_anew,
    open_session,
    translated,
    untagged,
    wait_for_words,
)
from .putting_away import Mover

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
        self._may_delete = True
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
                self.capabilities = frozenset(as_text(name).upper() for name in client.capabilities())
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

    @property
    def can_put_away(self) -> bool:
        """Whether messages may leave the inbox at all, as far as the server tells."""
        return "MOVE" in self.capabilities or self._may_delete

    def waiting(self, *, above: int = 0, most: int | None = None) -> list[Waiting]:
        """The messages in the inbox above a UID, the lowest first, whether or not somebody has read them.

        On a server that has neither MOVE nor UIDPLUS what we put away stays in the inbox, flagged
        as deleted; only there are messages left out that carry that flag.
        """
        with self._doing("listing the inbox") as client:
            self._look_anew(client)
            found_above = client.search(self._criteria(f"UID {above + 1}:*" if above else "ALL"))
            uids = sorted(uid for uid in found_above if uid > above)[:most]
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
            self._look_anew(client)
            for batch in _batches(sorted(set(uids))):
                self._mover(client).move(batch, self._server_name(folder))

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
                    idles = _idle(client, min(left, _IDLE_SECONDS))
                else:
                    time.sleep(min(left, _POLL_SECONDS))
                    client.noop()

    def examine(self, folder: str, *, to_delete: bool = False) -> int | None:
        """Look into another folder from here on, without changing it; what waits is what lies there.

        Gives its UIDVALIDITY, or ``None`` where there is no such folder.
        """
        with self._doing("looking into a folder") as client:
            name = self._server_name(folder)
            if not client.folder_exists(name):
                return None
            return int(client.select_folder(name, readonly=not to_delete)[b"UIDVALIDITY"])

    def delete(self, uids: Sequence[int]) -> None:
        """Delete messages of the folder that was opened for that, for good."""
        with self._doing("deleting messages") as client:
            for batch in _batches(sorted(set(uids))):
                self._mover(client).delete(batch)

    def junk_folder(self) -> str | None:
        """Where the server puts what it takes for spam, as configured or as it marks the folder."""
        with self._doing("looking for the spam folder") as client:
            return self._account.junk or client.find_special_folder(b"\\Junk")

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
        prefix, delimiter = namespace(client) if "NAMESPACE" in self.capabilities else ("", "/")
        present = {name for _, _, name in client.list_folders()}
        ours = (self._account.archive, self._account.quarantine)
        for folder in (*ours, *filter(None, [self._account.junk])):
            name = spelled(folder, present, prefix, delimiter)
            self._names[folder] = name
            if folder in ours and name not in present:
                self._mover(client).make_folder(name)

    def _open_inbox(self, client: Client) -> None:
        inbox = self._account.inbox
        try:
            selected = client.select_folder(inbox)
        except IMAPClientError as error:
            if not is_refusal(error) and not isinstance(error, IMAPClientReadOnlyError):
                raise
            selected = dict[bytes, Any]({b"READ-ONLY": True})
        if b"READ-ONLY" in selected:
            raise FolderRefused(
                f"{self._where} does not let {self._account.user} open the folder {inbox} for"
                " writing: correct the setting inbox, or the rights on that folder"
            )
        self.uidvalidity = int(selected[b"UIDVALIDITY"])
        # A server that does not tell lets every flag be changed (RFC 9051, 7.1).
        self._may_delete = b"\\Deleted" in selected.get(b"PERMANENTFLAGS", (b"\\Deleted",))

    def _mover(self, client: Client) -> Mover:
        return Mover(client, self._account, self.capabilities, self._may_delete)

    def _look_anew(self, client: Client) -> None:
        """Have the server tell what has changed; or else it may answer from what it saw last."""
        client.noop()
        if numbers_anew(client):
            raise ServerUnreachable(
                f"{self._where} numbers its messages anew (UIDVALIDITY): what we know of them is void, so"
                " connect again"
            )

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


def _idle(client: Client, seconds: float) -> bool:
    """Let the server tell what happens; what it told is looked up by who waits.

    ``False`` where the server refuses to, whatever it promised. DONE is answered by a living server
    only, so this raises on a link that has died.
    """
    if not begin_to_idle(client):
        return False
    wait_for_words(client, seconds)
    client.idle_done()
    return True


def _batches(uids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(uids), _BATCH):
        yield list(uids[start : start + _BATCH])


def _waiting(uid: int, told: dict[bytes, Any]) -> Waiting:
    arrived_at = cast("datetime", told[b"INTERNALDATE"]).astimezone(UTC)
    return Waiting(uid, int(told[b"RFC822.SIZE"]), arrived_at)

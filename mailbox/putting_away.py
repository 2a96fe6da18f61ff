"""How messages leave the inbox: moved, or on servers that cannot move, copied and then deleted.

Nothing is expunged but what we put away or were told to delete, and nothing is copied that could not be
deleted then: it would be copied again and again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from imapclient.exceptions import IMAPClientError

from .connection import response_code
from .errors import FolderRefused
from .imap_session import Client, ImapAccount, in_passing, is_refusal


@dataclass(frozen=True)
class Mover:
    """Puts messages away, as far as the server lets this account."""

    client: Client
    account: ImapAccount
    capabilities: Collection[str]
    may_delete: bool

    def move(self, uids: list[int], folder: str) -> None:
        """Move messages into a folder; without MOVE a failure in between leaves a second copy."""
        moves = "MOVE" in self.capabilities
        if not moves and not self.may_delete:
            raise self._forbidden(f"delete messages from {self.account.inbox}", "have MOVE switched on")
        transfer = self.client.move if moves else self.client.copy
        try:
            transfer(uids, folder)
        except IMAPClientError as error:
            if not is_refusal(error) and response_code(error) != "EXPUNGEISSUED":
                raise
            self.make_folder(folder)  # somebody may have removed it
            self.client.noop()  # lets the server see what others expunged
            self._transfer_or_refuse(transfer, uids, folder)
        if not moves:
            self.client.add_flags(uids, [b"\\Deleted"], silent=True)
            if "UIDPLUS" in self.capabilities:
                self.client.uid_expunge(uids)

    def delete(self, uids: list[int]) -> None:
        """Delete messages for good; a server that would expunge other people's with them is not asked."""
        if not {"UIDPLUS", "IMAP4REV2"} & set(self.capabilities):
            raise self._forbidden("delete single messages (UIDPLUS)", "delete what was forgotten by hand")
        self.client.add_flags(uids, [b"\\Deleted"], silent=True)
        self.client.uid_expunge(uids)

    def make_folder(self, name: str) -> None:
        """Make a folder unless it is there, and show it in people's mail programs."""
        try:
            self.client.create_folder(name)
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            if not self.client.folder_exists(name):
                raise FolderRefused(
                    f"{self._where} does not let {self.account.user} make the folder {name}: make"
                    " it by hand, or name another one in the settings"
                ) from None
        with in_passing():
            self.client.subscribe_folder(name)

    def _transfer_or_refuse(
        self, transfer: Callable[[list[int], str], object], uids: list[int], folder: str
    ) -> None:
        try:
            transfer(uids, folder)
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            raise self._forbidden(f"put messages into {folder}", "name another one in the settings") from None

    def _forbidden(self, what: str, or_else: str) -> FolderRefused:
        return FolderRefused(
            f"{self._where} does not let {self.account.user} {what}: correct the rights on that folder,"
            f" or {or_else}"
        )

    @property
    def _where(self) -> str:
        return f"{self.account.host}:{self.account.port}"

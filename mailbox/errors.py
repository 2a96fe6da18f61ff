"""What can go wrong around mail and keys when the world, not a person, is at fault.

Whoever retries asks the class (`ServerUnreachable` is worth another try, the others never are); nobody
parses a message. No message carries plaintext, a passphrase or a letter's text.
"""

from enum import StrEnum


class MailboxError(Exception):
    """Anything that this package raises on purpose."""


class ServerUnreachable(MailboxError):
    """The mail server did not answer, or hung up: worth another try."""


class ServerRefused(MailboxError):
    """The mail server answered and said no (a login, a folder, a recipient): another try changes
    nothing."""


class LoginRefused(ServerRefused):
    """The server knows the user or the password not: an operator must correct the settings."""


class TokenRefused(LoginRefused):
    """The server takes this access token not: another one may do."""


class ConnectionNotPrivate(ServerRefused):
    """Nothing was said, because others could listen: no TLS, or a certificate that is not trusted."""


class FolderRefused(ServerRefused):
    """A folder of the mailbox cannot be opened, made or written to."""


class MailRefused(ServerRefused):
    """The server takes this one mail never; the next mail may go through."""


class RecipientRefused(MailRefused):
    """The server does not take mail for this recipient."""


class KeyringUnusable(MailboxError):
    """The keyring's home or the gpg program cannot be used; the message names the path and the way
    out."""


class GpgTimedOut(MailboxError):
    """Gpg did not finish in time and was killed: worth another try, once."""


class KeyRejected(MailboxError):
    """A key that an operator offered cannot be taken in; the message says why."""


class SealRefusal(StrEnum):
    """Why nothing could be sealed or signed."""

    UNKNOWN_KEY = "unknown_key"
    """The recipient's key is not in the keyring, or what was given is not a full fingerprint."""
    EXPIRED = "expired"
    """The recipient's key is past its expiry date."""
    REVOKED = "revoked"
    """The recipient's key was withdrawn by its owner."""
    NO_ENCRYPTION_KEY = "no_encryption_key"
    """The recipient's key has no usable subkey for encryption."""
    CANNOT_SIGN = "cannot_sign"
    """Our own key to sign with is missing, unusable, or the passphrase is wrong."""
    TIMEOUT = "timeout"
    """Gpg was killed because it took too long."""
    FAILED = "failed"
    """Gpg failed in a way that none of the others names."""


class CannotSeal(MailboxError):
    """Nothing was sealed, and nothing may be sent in its place but a mail without content.

    `reason` says why, `fingerprint` for whom.
    """

    def __init__(self, reason: SealRefusal, fingerprint: str) -> None:
        super().__init__(f"Cannot seal to or sign with {fingerprint}: {reason.value}")
        self.reason = reason
        self.fingerprint = fingerprint

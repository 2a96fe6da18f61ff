"""``meldbalie keys``: the keys that mail is sealed to; ``import FILE`` pins one more."""

import argparse
import sys
from pathlib import Path

from ...mailbox.errors import MailboxError
from ...mailbox.keys import KeyFacts
from ...settings import settings
from ..installation import open_keyring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    verbs.add_parser("list", help="list the keyring, with what each key can be used for")
    pin = verbs.add_parser("import", help="take in the public key of an owner, a handler or the IBD")
    pin.add_argument("file", type=Path, help="a file with one public key, armoured or not")


def run(args: argparse.Namespace) -> int:
    """List the keys, or take one in; 1 when the file has no key that can be taken."""
    with open_keyring(settings()) as keyring:
        if args.verb == "list":
            own = {key.fingerprint for key in keyring.own_keys()}
            lines = [_line(key, is_own=key.fingerprint in own) for key in keyring.all_keys()]
            print("\n".join(lines) or "the keyring is empty")
            return 0
        try:
            taken = keyring.import_public(args.file.read_bytes())
        except OSError as error:
            print(f"{args.file} cannot be read ({error.strerror})", file=sys.stderr)
            return 1
        except MailboxError as refusal:
            print(f"{args.file}: {refusal}", file=sys.stderr)
            return 1
    print(f"{_line(taken)}\npin it: write the fingerprint into meldbalie.toml or the owner directory")
    return 0


def _line(key: KeyFacts, *, is_own: bool = False) -> str:
    expiry = f"expires {key.expires_at:%Y-%m-%d}" if key.expires_at else "does not expire"
    own = "own key, " if is_own else ""
    return f"{key.fingerprint}  {own}{expiry}{', REVOKED' if key.revoked else ''}  {', '.join(key.addresses)}"

"""``meldbalie keys``: the keys that mail is sealed to, and our own."""

import argparse
import sys
from pathlib import Path

from ...mailbox.errors import MailboxError
from ...mailbox.keyring import Keyring
from ...models.errors import Refused
from ...settings import settings
from ..installation import open_keyring, records
from . import keys_list, keys_pin, keys_rotate

FINGERPRINT = "its full fingerprint: 40 hexadecimal digits, spaces do not matter"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    verbs.add_parser("list", help="list our keys and those of the people, and what is wrong with them")
    taken = verbs.add_parser("import", help="take in the public key of an owner, a handler or the IBD")
    taken.add_argument("file", type=Path, help="a file with one public key, armoured or not")
    pin = verbs.add_parser("pin", help="say which key is somebody's")
    pin.add_argument("who", help="ibd, the name or address of a person or owner, or a ticket's number")
    pin.add_argument("fingerprint", help=FINGERPRINT)
    pin.add_argument("--by", default="operator", metavar="NAME", help="who has compared the fingerprint")
    out = verbs.add_parser("export", help="print a public key, ours if none is named")
    out.add_argument("fingerprint", nargs="?", help=FINGERPRINT)
    verbs.add_parser("warn", help="look at all keys as every sweep does, and warn whom it concerns")
    rotate = verbs.add_parser("rotate", help="make a new intake key; the old one still opens")
    rotate.add_argument("--days", type=int, metavar="N", help="how long the new key lasts (without an end)")
    retire = verbs.add_parser("retire", help="publish an earlier intake key no longer; it still opens")
    retire.add_argument("fingerprint", help=FINGERPRINT)
    retire.add_argument("--early", action="store_true", help="even if the new key is hardly known yet")


def run(args: argparse.Namespace) -> int:
    """Do it; 1 when it is refused, with the way out."""
    with open_keyring(settings()) as keyring:
        try:
            return _run(args, keyring)
        except (MailboxError, Refused) as refusal:
            print(refusal, file=sys.stderr)
            return 1


def _run(args: argparse.Namespace, keyring: Keyring) -> int:
    match args.verb:
        case "list":
            return keys_list.show(records(), keyring)
        case "warn":
            return keys_list.warn(records(), keyring)
        case "import":
            return _import(args.file, keyring)
        case "export":
            return _export(args.fingerprint or settings().pgp.fingerprint, keyring)
        case "pin":
            keys_pin.pin(records(), keyring, args.who, args.fingerprint, by=args.by)
        case "rotate":
            keys_rotate.rotate(records(), keyring, days=args.days)
        case _:
            keys_rotate.retire(records(), keyring, args.fingerprint, early=args.early)
    return 0


def _import(file: Path, keyring: Keyring) -> int:
    try:
        taken = keyring.import_public(file.read_bytes())
    except OSError as error:
        print(f"{file} cannot be read ({error.strerror})", file=sys.stderr)
        return 1
    except MailboxError as refusal:
        print(f"{file}: {refusal}", file=sys.stderr)
        return 1
    print(f"{keys_list.line(taken)}\npin it: meldbalie keys pin WHO {taken.fingerprint}")
    return 0


def _export(fingerprint: str, keyring: Keyring) -> int:
    armour = keyring.export_public(keys_pin.normal(fingerprint))
    if not armour:
        raise Refused(
            f"{fingerprint or 'pgp.fingerprint'} is not in the keyring; `meldbalie keys list` shows it"
        )
    print(armour.decode("ascii"), end="")
    return 0

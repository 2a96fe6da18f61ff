"""``meldbalie pins``: the PINs by which handlers prove who they are, if ``desk.second_factor`` is ``pin``."""

import argparse
import getpass
import sys

from ...models.errors import Refused
from ...models.pins import Pin, pins, remove_pin, set_pin
from ..desk import local
from ..installation import Records, records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verbs = parser.add_subparsers(metavar="VERB", required=True, dest="verb")
    verbs.add_parser("list", help="list who has a PIN, since when, and who is locked out")
    setting = verbs.add_parser("set", help="give a handler a PIN, which also ends a lock")
    setting.add_argument("name", help="the handler, as the configuration names them in triage")
    setting.add_argument(
        "--stdin", action="store_true", help="read the PIN as a line of the input instead of asking for it"
    )
    removing = verbs.add_parser("remove", help="take a PIN away")
    removing.add_argument("name", help="whose")


def run(args: argparse.Namespace) -> int:
    """Do what is asked; 1 when it cannot be done, and then nothing has changed."""
    place = records()
    try:
        print("\n".join(_do(place, args)))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _do(place: Records, args: argparse.Namespace) -> list[str]:
    if args.verb == "list":
        return lines(place)
    if args.verb == "set":
        return _set(place, args.name, from_input=args.stdin)
    with place.database.unit_of_work() as session:
        remove_pin(session, args.name)
    return [f"{args.name} has no PIN any more"]


def _set(place: Records, name: str, *, from_input: bool) -> list[str]:
    handlers = [person.name for person in place.config.triage]
    if name not in handlers:
        known = ", ".join(handlers) or "nobody yet: add them as [[triage]] to the configuration"
        raise Refused(f"there is no handler called {name!r}; handlers are: {known}")
    pin = sys.stdin.readline().rstrip("\r\n") if from_input else _asked_twice(name)
    with place.database.unit_of_work() as session:
        set_pin(session, name, pin, now=place.clock())
    said = [f"{name} has a PIN"]
    if place.config.desk.second_factor != "pin":
        said.append('it is not asked for while desk.second_factor is "link": set it to "pin"')
    return said


def _asked_twice(name: str) -> str:
    if not sys.stdin.isatty():
        raise Refused("there is no terminal to ask for the PIN on: give it as a line, with --stdin")
    pin = getpass.getpass(f"PIN of {name}: ")
    if getpass.getpass("the same again: ") != pin:
        raise Refused("these were two different PINs, and nothing was changed: try again")
    return pin


def lines(place: Records) -> list[str]:
    """A line for each PIN, and for each handler without one."""
    with place.database.reading() as session:
        kept = {pin.person: pin for pin in pins(session)}
    handlers = [person.name for person in place.config.triage]
    said = [f"{name}: {_in_words(place, kept.get(name))}" for name in handlers]
    said += [f"{name}: has a PIN and is no handler any more" for name in kept if name not in handlers]
    return said or ["there are no handlers yet: add them as [[triage]] to the configuration"]


def _in_words(place: Records, pin: Pin | None) -> str:
    if pin is None:
        return "no PIN"
    since = f"since {local(place, pin.set_at)}"
    if pin.locked_until is not None and pin.locked_until > place.clock():
        return f"{since}, locked until {local(place, pin.locked_until)}"
    return since + (f", {pin.failures} wrong in a row" if pin.failures else "")

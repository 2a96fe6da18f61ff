"""The command line: ``meldbalie COMMAND``. Each command is imported when it is asked for."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module

from .models.errors import Refused
from .settings import SettingsError

Arguments = argparse.Namespace

#: Command, the module that has its ``add_arguments`` and ``run``, and what it is for.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("init", ".flows.operator.init", "write a configuration, make the keys, migrate the database"),
    ("check", ".flows.operator.check", "try everything that the configuration names"),
    ("up", ".flows.operator.up", "run everything: Prefect, the flows, the web app"),
    ("flows", ".flows.operator.runner", "run the flows only, against the configured Prefect API"),
    (
        "demo",
        ".flows.operator.demo",
        "run everything on a local mail server, and report to it",
    ),
    ("tickets", ".flows.operator.tickets", "list the tickets"),
    ("show", ".flows.operator.show", "show one ticket, decrypted, on this terminal"),
    ("clocks", ".flows.operator.clocks", "explain the clocks of one ticket, line by line"),
    ("outbox", ".flows.operator.outbox", "list the mails that have not left, or send one again"),
    ("quarantine", ".flows.operator.quarantine", "list what could not be opened, or try it again"),
    ("audit", ".flows.operator.audit", "compare mailbox, ledger, tickets and outbox"),
    ("owners", ".flows.operator.owners", "import the owner directory"),
    ("pins", ".flows.operator.pins", "give handlers the PINs by which they prove who they are"),
    ("keys", ".flows.operator.keys", "list the keys that mail is sealed to, or take one in"),
    ("route", ".flows.operator.route", "say who answers for a target, and why"),
    ("inspect", ".flows.operator.inspect", "say what a raw message is, as JSON"),
    ("calendar", ".flows.operator.calendar", "show the calendar that clocks count by, or change it"),
    ("report", ".flows.operator.report", "say how the promise was kept"),
    ("due", ".models.due", "compute when a duration has run"),
    ("settings", ".flows.operator.reference", "print the configuration reference"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 is a command line or a configuration that cannot be used."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(words)
    args = parser.parse_args(words)
    try:
        run: Callable[[Arguments], int] = args.run
        return run(args)
    except (SettingsError, Refused) as error:
        print(f"meldbalie: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has gone (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser(words: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="meldbalie", description="Coordinated vulnerability disclosure intake."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, purpose in COMMANDS:
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name in words:
            implementation = import_module(module, __package__)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())

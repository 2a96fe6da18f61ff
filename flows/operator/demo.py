"""``meldbalie demo``: everything on this machine, and a reporter who writes to it.

Real parts: Dovecot takes the mail, GnuPG seals it, Prefect runs the flows, gunicorn serves the
status page. Two reports arrive, one signed and sealed, one in the clear; what becomes of them is
printed as it happens. Everything lies in one directory and may be deleted with it.
"""

import argparse
import hashlib
import os
import stat
import sys
from pathlib import Path

from ...mailbox.errors import MailboxError
from ...models.migrate import migrate
from ...models.owner_import import import_owners
from ...settings import use
from ..installation import installation
from .children import flow_runner, prefect_server, web_app
from .demo_files import ADDRESSES, PASSWORD, make_people, owner_directory, write_configuration
from .demo_story import DemoFailed, Story
from .logs import Logs
from .mailserver import LocalMailServer, MailServerError
from .supervisor import ChildFailed, Supervisor
from .up import CannotStart, locked, require_free_ports, stopping_on_signals

IMAP_PORT, SMTP_PORT = 8143, 8025
OURS_ALONE = 0o077
ENTERABLE = 0o711


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--once", action="store_true", help="check every outcome and stop")
    parser.add_argument(
        "--directory", type=Path, default=Path("var/demo"), help="where everything lies (var/demo)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; with ``--once`` 0 when every outcome was right, else 1 with the reason."""
    os.umask(OURS_ALONE)
    try:
        demonstrate(args.directory.absolute(), once=args.once)
    except (CannotStart, ChildFailed, DemoFailed, MailServerError, MailboxError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(directory: Path, *, once: bool) -> None:
    """Start everything, tell the story, and stay up unless it is only to be checked."""
    make_enterable(directory)
    say(f"everything lies in {directory}; delete it to begin anew")
    people = make_people(directory)
    say(f"keys: the desk {people.desk.fingerprint}, a reporter, two owners, a handler, the IBD")
    mail = LocalMailServer(
        mail_directory(directory),
        addresses=ADDRESSES,
        password=PASSWORD,
        imap_port=IMAP_PORT,
        smtp_port=SMTP_PORT,
    )
    config = use(write_configuration(directory, people, imap_port=IMAP_PORT, smtp_port=SMTP_PORT))
    children = [prefect_server(config), flow_runner(config), web_app(config)]
    logs = Logs(config.logs.directory, config.logs.max_bytes)
    with locked(config.prefect.home, say) as lock:
        require_free_ports(children)
        place = installation()
        migrate(place.database)
        with place.database.unit_of_work() as session:
            import_owners(session, owner_directory(people), on=place.promise.local_day(place.clock()))
        processes = Supervisor(children, say=say, logs=logs, lock=lock)
        with stopping_on_signals(processes, say), mail, processes:
            say(f"mail server: IMAP on port {IMAP_PORT}, SMTP on port {SMTP_PORT}")
            Story(place, people, mail, say, stopping=lambda: processes.is_stopping).tell()
            if once:
                return
            say("stays up until Ctrl-C")
            processes.wait()


def make_enterable(directory: Path) -> None:
    """Make the directories that are missing so that others can pass through them, but read nothing."""
    if not directory.exists():
        make_enterable(directory.parent)
        directory.mkdir()
        directory.chmod(ENTERABLE)


def mail_directory(directory: Path) -> Path:
    """Where the mail server keeps its mail.

    For root it is kept by an account that may not pass through a closed home; it then lies in
    /var/tmp, under a name that is always the same for the same demonstration.
    """
    here = directory / "mailserver"
    make_enterable(here)
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in here.parents):
        return here
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    elsewhere = Path(f"/var/tmp/meldbalie-demo-{name}")  # noqa: S108 - owned and checked below
    elsewhere.mkdir(mode=ENTERABLE, exist_ok=True)
    if elsewhere.is_symlink() or elsewhere.stat().st_uid != 0:
        raise DemoFailed(f"{elsewhere} is somebody else's: give another --directory")
    elsewhere.chmod(ENTERABLE)
    return elsewhere


def say(line: str) -> None:
    """Print a line at once, for a terminal and for a log file."""
    print(f"demo | {line}", flush=True)

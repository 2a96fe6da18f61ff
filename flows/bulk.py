"""Bulk and rare acts: deployments with a form that handlers fill in and start in Prefect.

Prefect keeps the parameters of a run for good. So they are ticket numbers, names of owners and handlers,
file names and numbers; never free text, and no PIN. What is refused stands in the run's log by ticket
number, and the run fails; the other tickets are done.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from prefect import Flow, flow, get_run_logger
from pydantic import Field

from ..models.errors import Refused
from ..models.forgetting import forget_due
from ..models.owner_file import OwnerFileRefused
from ..models.owner_import import import_owners as import_directory
from . import bulk_acts
from .bulk_acts import CLOSE_AS_DUPLICATES, FORGET, MERGE, Act, Outcome
from .discretion import WorkFailed, discreet
from .handlers import handler_called
from .installation import Installation, Records, installation

Days = Annotated[int, Field(ge=0, le=3650)]


@flow(name="assign-many", flow_run_name="assign-many")
def assign_many(tickets: list[str], owner: str, who: str) -> None:
    """Hand many tickets to one owner, who gets each report.

    Args:
        tickets: The numbers of the tickets, such as CVD-2026-0042.
        owner: The name of the owner, as `meldbalie owners list` gives it.
        who: Your name, as the desk knows it.
    """
    _do("assign-many", tickets, partial(bulk_acts.assign, owner=owner), who)


@flow(name=CLOSE_AS_DUPLICATES, flow_run_name=CLOSE_AS_DUPLICATES)
def close_as_duplicates(of: str, tickets: list[str], who: str) -> None:
    """Close many tickets as duplicates of one; you confirm it by a link in your sealed mail.

    Args:
        of: The number of the ticket that goes on.
        tickets: The numbers of the tickets to be closed. Their reporters learn nothing of each other.
        who: Your name, as the desk knows it.
    """
    _ask(CLOSE_AS_DUPLICATES, {"tickets": tickets, "belongs_to": of}, who)


@flow(name=MERGE, flow_run_name=MERGE)
def merge(ticket: str, into: str, who: str) -> None:
    """Join a ticket with another one; you confirm it by a link in your sealed mail.

    Args:
        ticket: The number of the ticket that is closed. What comes in on it is told on the other.
        into: The number of the ticket that goes on.
        who: Your name, as the desk knows it.
    """
    _ask(MERGE, {"tickets": [ticket], "belongs_to": into}, who)


@flow(name="split", flow_run_name="split")
def split(ticket: str, who: str, owner: str = "") -> None:
    """Give a report that is about two things a second ticket, for another owner.

    Args:
        ticket: The number of the ticket. It stays with its owner.
        who: Your name, as the desk knows it.
        owner: The name of the owner of the second ticket; empty is by routing.
    """
    _do("split", [ticket], partial(bulk_acts.split, owner=owner), who)


@flow(name="reopen", flow_run_name="reopen")
def reopen(ticket: str, who: str) -> None:
    """Take up a closed report again, under a new number that is linked to the old one.

    Args:
        ticket: The number of the closed ticket.
        who: Your name, as the desk knows it.
    """
    _do("reopen", [ticket], bulk_acts.reopen, who)


@flow(name="resend-link", flow_run_name="resend-link")
def resend_link(ticket: str, who: str) -> None:
    """Send the reporter a new secret link; the earlier ones open nothing any more.

    Args:
        ticket: The number of the ticket.
        who: Your name, as the desk knows it.
    """
    _do("resend-link", [ticket], bulk_acts.resend_link, who)


@flow(name=FORGET, flow_run_name=FORGET)
def forget(who: str, tickets: list[str] = [], closed_for_days: Days = 90) -> None:  # noqa: B006 - never written
    """Erase what closed tickets say and who reported them, for good; you confirm it by a link in your mail.

    Args:
        who: Your name, as the desk knows it.
        tickets: The numbers of closed tickets, however long ago; empty is every one that is due.
        closed_for_days: How many days ago a ticket was closed that is due.
    """
    with _in_words(FORGET) as place:
        with place.database.reading() as session:
            named = tickets or forget_due(session, place.clock(), closed_for_days)
        if named:
            _ask_for(place, FORGET, {"tickets": named}, who)
        else:
            handler_called(place, who)
            get_run_logger().info(
                "no ticket was closed %d days ago or earlier: nothing to do", closed_for_days
            )


@flow(name="import-owners", flow_run_name="import-owners")
def import_owners(file: str, who: str, check_only: bool = True) -> None:
    """Replace the imported owners by a CSV file that lies on the server.

    Args:
        file: The name of the file in the directory `desk.owner_files`, such as owners.csv.
        who: Your name, as the desk knows it.
        check_only: Only say what the file would change.
    """
    with _in_words("import-owners") as place:
        handler_called(place, who)
        content, today = _owner_file(place, file), place.promise.local_day(place.clock())
        try:
            with place.database.unit_of_work() as session:
                report = import_directory(session, content, on=today, only_check=check_only)
        except OwnerFileRefused as refusal:
            get_run_logger().error("%s", refusal)
            raise WorkFailed(f"{file} cannot be taken: the log says why; nothing was changed") from None
        taken = "can be taken; nothing was changed yet" if check_only else f"was taken by {who}"
        get_run_logger().info("%s %s", file, taken)
        for line in (f"owners: {report.owners}", f"assets: {report.assets}", *report.remarks):
            get_run_logger().info("%s", line)


#: What handlers start by hand, and what the list of deployments says of it.
RARE_ACTS: Mapping[Flow[Any, Any], str] = {
    assign_many: "Hands many tickets to one owner.",
    close_as_duplicates: "Closes many tickets as duplicates of one; confirmed by a link in your mail.",
    merge: "Joins a ticket with another one; confirmed by a link in your mail.",
    split: "Gives a report that is about two things a second ticket, for another owner.",
    reopen: "Takes up a closed report again under a new number.",
    resend_link: "Sends the reporter a new secret link; the earlier ones stop working.",
    forget: "Erases closed tickets for good; confirmed by a link in your mail.",
    import_owners: "Replaces the imported owners by a CSV file on the server.",
}


def _owner_file(place: Records, name: str) -> bytes:
    """A file of the configured directory; raises :class:`Refused` for anything beside it."""
    directory = place.config.desk.owner_files
    if directory is None:
        raise Refused("no directory of owner files is configured: set desk.owner_files, or import by command")
    file = directory / name
    if Path(name).name != name or file.resolve().parent != directory.resolve():
        raise Refused("give the name of a file in the directory desk.owner_files, without a path")
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise Refused(f"{name} cannot be read there ({type(error).__name__})") from None


@contextmanager
def _in_words(work: str) -> Generator[Installation]:
    """The installation to work with; a refusal fails the run in its own words, all else without words."""
    with discreet(work):
        try:
            yield installation()
        except Refused as refusal:
            raise WorkFailed(f"{work}: {refusal}") from None


def _do(work: str, tickets: list[str], act: Act, who: str) -> None:
    with _in_words(work) as place:
        outcome = bulk_acts.each(place, tickets, act, who)
        for line in outcome.done:
            get_run_logger().info("%s", line)
        _fail_if_refused(work, outcome)


def _ask(work: str, wanted: Mapping[str, Any], who: str) -> None:
    with _in_words(work) as place:
        _ask_for(place, work, wanted, who)


def _ask_for(place: Records, work: str, wanted: Mapping[str, Any], who: str) -> None:
    """Let it be confirmed for the tickets for which it is not refused anyway."""
    act = bulk_acts.act_of(work, wanted)
    tried = bulk_acts.each(place, bulk_acts.tickets_in(wanted), act, who, only_try=True)
    if tried.possible:
        asked = bulk_acts.ask(place, work, {**wanted, "tickets": tried.possible}, who)
        get_run_logger().info(
            "nothing is done yet: a link to confirm it by for %s was mailed to %s, and works until %s UTC",
            ", ".join(tried.possible),
            who,
            f"{asked.expires_at:%Y-%m-%d %H:%M}",
        )
    _fail_if_refused(work, tried)


def _fail_if_refused(work: str, outcome: Outcome) -> None:
    if outcome.refused:
        for line in outcome.refused:
            get_run_logger().error("refused: %s", line)
        among = len(outcome.refused) + len(outcome.possible)
        raise WorkFailed(f"{work}: {len(outcome.refused)} of {among} refused; the log says why")

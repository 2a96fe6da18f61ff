"""Bulk and rare acts: deployments with a form that handlers fill in and start in Prefect.

Prefect keeps the parameters of a run for good. So they are ticket numbers, names of owners and handlers,
file names, numbers and dates; never free text, and no PIN. What is refused stands in the run's log by ticket
number, and the run fails, without a traceback; the other tickets are done. What was typed is not said back.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from prefect import Flow, flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.states import Completed, Failed
from pydantic import Field

from ..models.errors import Refused
from ..models.forgetting import forget_due
from ..models.numbering import LIKE_A_NUMBER
from ..models.owner_file import OwnerFileRefused
from ..models.owner_import import import_owners as import_directory
from ..models.waiting import KEPT_FOR_DAYS
from . import bulk_acts
from .bulk_acts import CLOSE_AS_DUPLICATES, FORGET, MERGE, Act, Outcome
from .desk import local
from .discretion import discreet
from .handlers import handler_called
from .installation import Records, installation

End = State[None]
NO_NUMBER = "what is no ticket's number"
NOT_TAKEN = (
    "the file cannot be taken, and nothing was changed: the log says why by line and column, and `meldbalie"
    " owners import --check` on the server says it with what stands there"
)


def _called(title: str, **more: str) -> Any:
    """What the form calls a field; Prefect would call it by its name in our code."""
    return Field(json_schema_extra={"title": title, **more})


Who = Annotated[str, _called("Who are you")]
OneTicket = Annotated[str, _called("Ticket")]
Tickets = Annotated[list[str], _called("Tickets")]
OwnerName = Annotated[str, _called("Owner")]
GoesOn = Annotated[str, _called("Ticket that goes on")]
Days = Annotated[int, Field(ge=0, le=3650), _called("Closed for how many days")]
Moment = Annotated[str, _called("Keep silent until")]
Lift = Annotated[bool, _called("Lift the embargo")]
Day = Annotated[str, _called("Publish on", format="date")]
OwnerFileName = Annotated[str, _called("File")]
CheckOnly = Annotated[bool, _called("Only check")]


@flow(name="assign-many", flow_run_name="assign-many")
def assign_many(who: Who, tickets: Tickets, owner: OwnerName) -> End:
    """Hand many tickets to one owner, who gets each report.

    Args:
        who: Your name, as the desk knows it.
        tickets: The numbers of the tickets, such as CVD-2026-0042.
        owner: The name of the owner, as `meldbalie owners list` gives it.
    """
    return _do("assign-many", tickets, partial(bulk_acts.assign, owner=owner), who)


@flow(name=CLOSE_AS_DUPLICATES, flow_run_name=CLOSE_AS_DUPLICATES)
def close_as_duplicates(who: Who, tickets: Tickets, of: GoesOn) -> End:
    """Close many tickets as duplicates of one; you confirm it by a link in your sealed mail.

    Args:
        who: Your name, as the desk knows it.
        tickets: The numbers of the tickets to be closed. Their reporters learn nothing of each other.
        of: The number of the ticket that they are duplicates of.
    """
    return _ask(CLOSE_AS_DUPLICATES, {"tickets": tickets, "belongs_to": of}, who)


@flow(name=MERGE, flow_run_name=MERGE)
def merge(who: Who, ticket: OneTicket, into: GoesOn) -> End:
    """Join a ticket with another one; you confirm it by a link in your sealed mail.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the ticket that is closed. What comes in on it is told on the other.
        into: The number of the ticket that it is joined with.
    """
    return _ask(MERGE, {"tickets": [ticket], "belongs_to": into}, who)


@flow(name="split", flow_run_name="split")
def split(who: Who, ticket: OneTicket, owner: OwnerName = "") -> End:
    """Give a report that is about two things a second ticket, for another owner.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the ticket. It stays with its owner.
        owner: The name of the owner of the second ticket; empty is by routing.
    """
    return _do("split", [ticket], partial(bulk_acts.split, owner=owner), who)


@flow(name="reopen", flow_run_name="reopen")
def reopen(who: Who, ticket: OneTicket) -> End:
    """Take up a closed report again, under a new number that is linked to the old one.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the closed ticket.
    """
    return _do("reopen", [ticket], bulk_acts.reopen, who)


@flow(name="resend-link", flow_run_name="resend-link")
def resend_link(who: Who, ticket: OneTicket) -> End:
    """Send the reporter a new secret link; the earlier ones open nothing any more.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the ticket.
    """
    return _do("resend-link", [ticket], bulk_acts.resend_link, who)


@flow(name="propose-embargo", flow_run_name="propose-embargo")
def propose_embargo(who: Who, ticket: OneTicket, until: Moment = "", lift: Lift = False) -> End:
    """Propose to the reporter of a closed ticket until when both keep silent, or lift that.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the closed ticket. An open one has a form, where you can say why.
        until: Day and time, in our own time, such as 2026-12-01 17:00.
        lift: Take back what was proposed, and leave the moment empty.
    """
    return _do("propose-embargo", [ticket], partial(bulk_acts.propose_embargo, until=until, lift=lift), who)


@flow(name="propose-publication", flow_run_name="propose-publication")
def propose_publication(who: Who, ticket: OneTicket, on: Day) -> End:
    """Propose to the reporter of a closed ticket on which day to publish.

    Args:
        who: Your name, as the desk knows it.
        ticket: The number of the closed ticket. An open one has a form, where you can say why.
        on: The day that the reporter is asked about.
    """
    return _do("propose-publication", [ticket], partial(bulk_acts.propose_publication, day=on), who)


@flow(name=FORGET, flow_run_name=FORGET)
def forget(who: Who, tickets: Tickets = [], closed_for_days: Days = KEPT_FOR_DAYS) -> End:  # noqa: B006 - never written
    """Erase what closed tickets say and who reported them, for good; you confirm it by a link in your mail.

    Args:
        who: Your name, as the desk knows it.
        tickets: The numbers of closed tickets, however long ago; empty is every one that is due.
        closed_for_days: How many days ago a ticket was closed that is due.
    """

    def asks(place: Records) -> None:
        with place.database.reading() as session:
            named = tickets or forget_due(session, place.clock(), closed_for_days)
        if named:
            _ask_for(place, FORGET, {"tickets": named}, who)
            return
        handler_called(place, who)
        get_run_logger().info("no ticket was closed %d days ago or earlier: nothing to do", closed_for_days)

    return _carried_out(FORGET, asks)


@flow(name="import-owners", flow_run_name="import-owners")
def import_owners(who: Who, file: OwnerFileName, check_only: CheckOnly = True) -> End:
    """Replace the imported owners by a CSV file that lies on the server.

    Names of owners are told, and what is wrong by line and column: what else stands in cells is not.

    Args:
        who: Your name, as the desk knows it.
        file: The name of the file in the directory `desk.owner_files`, such as owners.csv.
        check_only: Only say what the file would change.
    """

    def imports(place: Records) -> None:
        handler_called(place, who)
        content, today = _owner_file(place, file), place.promise.local_day(place.clock())
        try:
            with place.database.unit_of_work() as session:
                report = import_directory(session, content, on=today, only_check=check_only)
        except OwnerFileRefused as refusal:
            get_run_logger().error("%s", refusal.without_values)
            raise Refused(NOT_TAKEN) from None
        taken = "can be taken; nothing was changed yet" if check_only else f"was taken by {who}"
        get_run_logger().info("%s %s", file, taken)
        remarks = (remark.said for remark in report.remarks)
        for line in (f"owners: {report.owners}", f"assets: {report.assets}", *remarks):
            get_run_logger().info("%s", line)

    return _carried_out("import-owners", imports)


#: What handlers start by hand, and what the list of deployments says of it.
RARE_ACTS: Mapping[Flow[Any, Any], str] = {
    assign_many: "Hands many tickets to one owner.",
    close_as_duplicates: "Closes many tickets as duplicates of one; confirmed by a link in your mail.",
    merge: "Joins a ticket with another one; confirmed by a link in your mail.",
    split: "Gives a report that is about two things a second ticket, for another owner.",
    reopen: "Takes up a closed report again under a new number.",
    resend_link: "Sends the reporter a new secret link; the earlier ones stop working.",
    propose_embargo: "Proposes on a closed ticket until when both keep silent, or lifts that.",
    propose_publication: "Proposes on a closed ticket on which day to publish.",
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
        raise Refused(f"there is no such file that can be read ({type(error).__name__})") from None


def _carried_out(work: str, act: Callable[[Records], None]) -> End:
    """How a run ends: a refusal fails it in its own words, what nobody foresaw without any."""
    with discreet(work):
        try:
            act(installation())
        except Refused as refusal:
            logging.getLogger("prefect.flow_runs").addFilter(_is_news)
            return Failed(message=f"{work}: {refusal}")
    return Completed()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether something else than a refusal failed: of that Prefect's engine logs a traceback of its own."""
    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))


def _do(work: str, tickets: list[str], act: Act, who: str) -> End:
    def does(place: Records) -> None:
        outcome = bulk_acts.each(place, tickets, act, who)
        for line in outcome.done:
            get_run_logger().info("%s", line)
        _refuse_what_was_refused(outcome)

    return _carried_out(work, does)


def _ask(work: str, wanted: Mapping[str, Any], who: str) -> End:
    return _carried_out(work, lambda place: _ask_for(place, work, wanted, who))


def _ask_for(place: Records, work: str, wanted: Mapping[str, Any], who: str) -> None:
    """Let it be confirmed for the tickets for which it is not refused anyway."""
    act = bulk_acts.act_of(work, wanted)
    tried = bulk_acts.each(place, bulk_acts.tickets_in(wanted), act, who, only_try=True)
    if tried.possible:
        asked = bulk_acts.ask(place, work, {**wanted, "tickets": tried.possible}, who)
        get_run_logger().info(
            "nothing is done yet: a link to confirm it by for %s was mailed to %s, and works until %s",
            ", ".join(tried.possible),
            who,
            local(place, asked.expires_at),
        )
    _refuse_what_was_refused(tried)


def _refuse_what_was_refused(outcome: Outcome) -> None:
    """Let the run fail, and name the tickets; what is typed in the place of a number is not said back."""
    if not outcome.refused:
        return
    numbers = [
        number for line in outcome.refused if LIKE_A_NUMBER.fullmatch(number := line.partition(":")[0])
    ]
    for line in outcome.refused:
        get_run_logger().error("refused: %s", line if line.partition(":")[0] in numbers else NO_NUMBER)
    named = [*numbers, *([NO_NUMBER] if len(numbers) < len(outcome.refused) else [])]
    among = len(outcome.refused) + len(outcome.possible)
    raise Refused(f"{len(outcome.refused)} of {among} refused: {', '.join(named)}; the log says why")

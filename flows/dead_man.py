"""Dead man: Prefect itself notices that no sweep has ended well for three intervals, and starts this flow.

It alarms the handlers, starts a sweep, and fails, for Prefect to show. It is beside the sign of life that
intake and deliver look for, for the case that they lie down as well. Where nothing that runs flows is
alive, its run stays late in Prefect, and `/health` says that the installation is down.
"""

from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from .desk import prefect_api
from .discretion import WorkFailed, discreet
from .installation import Installation, installation
from .shifts import start_shifts
from .watching import SWEEP, note_stopped, patience

NAME = "dead-man"
AUTOMATION = "meldbalie: no sweep has ended well"
SHORTEST = timedelta(seconds=10)  # that Prefect waits for something that does not happen


@flow(name=NAME, flow_run_name=NAME)
def dead_man() -> int:
    """Alarm when the sweep gives no sign of life, and start one; fails then."""
    with discreet(NAME):
        stopped = note_stopped(installation(), [SWEEP])
        start_shifts(stopped)
    if stopped:
        raise WorkFailed("the sweep does not run: no reminder or escalation leaves; one was started now")
    return 0


def let_prefect_watch(place: Installation) -> None:
    """Make the automation that starts this flow, or make it anew where it says something else.

    One that is changed while it waits never fires (seen), so it is replaced.
    """
    with prefect_api() as client:
        try:
            wanted = _automation(place, client)
        except ObjectNotFound:  # not deployed yet
            return
        found = client.read_automations_by_name(AUTOMATION)
        right = [one for one in found if _is_as(one, wanted)]
        for one in found:
            if one not in right[:1]:
                client.delete_automation(one.id)
        if not right:
            client.create_automation(wanted)


def _automation(place: Installation, client: SyncPrefectClient) -> AutomationCore:
    deployment = client.read_deployment_by_name(f"{NAME}/{NAME}")
    sweeps = {"prefect.resource.role": "flow", "prefect.resource.name": SWEEP}
    return AutomationCore(
        name=AUTOMATION,
        description="Alarms when the ladder is not looked at any more.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Completed"},
            match_related=ResourceSpecification.model_validate(sweeps),
            posture=Posture.Proactive,
            threshold=1,
            within=max(patience(place), SHORTEST),
        ),
        actions=[
            RunDeployment(source="selected", deployment_id=deployment.id, parameters=None, job_variables=None)
        ],
    )


def _is_as(found: Automation, wanted: AutomationCore) -> bool:
    if not isinstance(found.trigger, EventTrigger) or not isinstance(wanted.trigger, EventTrigger):
        return False
    same_time = found.enabled and found.trigger.within == wanted.trigger.within
    return same_time and found.actions == wanted.actions

"""Dead man: Prefect itself notices that the sweep or intake gives no sign of life, and starts this flow.

It alarms the handlers, starts a run of the flow, and fails, for Prefect to show. It is beside the sign of
life that our flows look for among each other, for the case that they lie down as well. Where nothing that
runs flows is alive, its run stays late in Prefect, and `/health` says that the installation is down.
"""

from collections.abc import Mapping
from uuid import UUID

from prefect import flow
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from .automations import INTAKE, watches
from .desk import prefect_api
from .discretion import WorkFailed, discreet
from .installation import Installation, installation
from .shifts import start_shifts
from .watching import SWEEP, note_stopped

NAME = "dead-man"
MEANING: Mapping[str, str] = {
    SWEEP: "the sweep does not run: no reminder or escalation leaves",
    INTAKE: "intake does not work: no mail is read",
}


@flow(name=NAME, flow_run_name=NAME)
def dead_man(flows: list[str] | None = None) -> int:
    """Alarm for those of these flows (the sweep) that give no sign of life, and start them; fails then."""
    with discreet(NAME):
        watched = [name for name in flows or [SWEEP] if name in MEANING]
        stopped = note_stopped(installation(), watched)
        start_shifts(stopped)
    if stopped:
        raise WorkFailed("; ".join(MEANING[name] for name in stopped) + "; a run was started now")
    return 0


def let_prefect_watch(place: Installation) -> None:
    """Make the automations that start this flow, or make anew what says something else.

    One that is changed while it waits never fires (seen), so it is replaced. They belong to the
    deployment: whoever deploys it again takes them away and brings its own.
    """
    with prefect_api() as client:
        try:
            deployment = client.read_deployment_by_name(f"{NAME}/{NAME}")
        except ObjectNotFound:  # not deployed yet
            return
        for wanted in _automations(place, deployment.id):
            found = client.read_automations_by_name(wanted.name)
            right = [one for one in found if _is_as(one, wanted)]
            for one in found:
                if one not in right[:1]:
                    client.delete_automation(one.id)
            if not right:
                client.create_automation(wanted)


def _automations(place: Installation, deployment: UUID) -> list[AutomationCore]:
    triggers = watches(place.config)
    for trigger in triggers:
        trigger.set_deployment_id(deployment)
    return [trigger.as_automation() for trigger in triggers]


def _is_as(found: Automation, wanted: AutomationCore) -> bool:
    return found.enabled and (found.trigger, found.actions) == (wanted.trigger, wanted.actions)

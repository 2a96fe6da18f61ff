"""What Prefect itself watches: that sweeps end well, and that intake lives.

Each watch is a trigger of the deployment `dead-man`, written once more in prefect.yaml for
`prefect deploy`. Its window begins with any event of the flow's runs and anew with each sign of life, so
that a flow which gives none is told of once a window, and one that was just started is given its time.
"""

from datetime import datetime, timedelta

from prefect.events import DeploymentEventTrigger
from prefect.events.schemas.automations import Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.events.utilities import emit_event

from ..settings import Settings
from .installation import Records
from .shifts import LEASE
from .watching import MISSED, PATIENCE, SWEEP

INTAKE = "intake"
ALIVE = "meldbalie.intake.alive"
ENDED_WELL = "prefect.flow-run.Completed"
ANY_OF_A_RUN = "prefect.flow-run.*"
SAY_AGAIN_AFTER = timedelta(minutes=1)
#: Longer than our own watch waits, so that the flow which is started finds what this one saw.
SILENCE = PATIENCE + LEASE + 2 * SAY_AGAIN_AFTER
SHORTEST = timedelta(seconds=10)  # that Prefect waits for something that does not happen


def watches(config: Settings) -> list[DeploymentEventTrigger]:
    """The triggers of the deployment `dead-man`."""
    return [
        _watch(
            SWEEP,
            "meldbalie: no sweep has ended well",
            "Alarms when the ladder is not looked at any more.",
            sign=ENDED_WELL,
            within=max(MISSED * timedelta(minutes=config.clocks.sweep_minutes), SHORTEST),
        ),
        _watch(
            INTAKE,
            "meldbalie: the poller is down",
            "Alarms when the mailbox is not read any more.",
            sign=ALIVE,
            within=SILENCE,
        ),
    ]


def _watch(flow: str, name: str, description: str, *, sign: str, within: timedelta) -> DeploymentEventTrigger:
    runs = {"prefect.resource.role": "flow", "prefect.resource.name": flow}
    return DeploymentEventTrigger(
        name=name,
        description=description,
        posture=Posture.Proactive,
        after={ANY_OF_A_RUN, sign},
        expect={sign},
        match_related=ResourceSpecification.model_validate(runs),
        for_each={"related:flow:prefect.resource.id"},
        within=within,
        parameters={"flows": [flow]},
    )


class SignsOfLife:
    """What a run of intake tells Prefect now and then while it works; one that is away hears nothing."""

    def __init__(self, place: Records) -> None:
        self._place = place
        self._next_at: datetime = place.clock()

    def give(self) -> None:
        """Give one if it is time; it leaves in a thread of Prefect's and is never waited for."""
        now = self._place.clock()
        if now >= self._next_at:
            self._next_at = now + SAY_AGAIN_AFTER
            emit_event(ALIVE, {"prefect.resource.id": "meldbalie.intake", "prefect.resource.name": INTAKE})

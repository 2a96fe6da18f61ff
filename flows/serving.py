"""What is deployed: every flow with its schedule, served by one process (`meldbalie flows`).

prefect.yaml deploys the same flows to a work pool for more than one machine. Entrypoints are
module paths: the root is a package, and a file path deploys silently and dies when it runs.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import TerminationSignal
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from ..settings import Settings
from .attend import attend
from .audit import audit
from .automations import watches
from .bulk import RARE_ACTS
from .dead_man import dead_man
from .deliver import deliver
from .installation import Installation
from .intake import intake
from .reconcile import SHIFTS, forget_missed_runs, reconcile
from .report import HOURLY, report
from .saved_links import BY_HAND
from .shifts import start_shifts
from .sweep import sweep

POLL_SECONDS = 2
RUNS_AT_ONCE = 10  # some 106 MB each; the three shifts are among them


def deployments(config: Settings) -> list[RunnerDeployment]:
    """Every deployment of the embedded default."""
    return [
        _deployment(intake, "Takes in what arrives in the intake mailbox."),
        _deployment(deliver, "Sends what waits in the outbox."),
        _deployment(attend, "Keeps the desk: a run for each open ticket, with its card and form."),
        _deployment(sweep, "Fires what is due on the ladder.", every=config.clocks.sweep_minutes),
        _deployment(dead_man, "Alarms when sweep or intake gives no sign of life.", triggers=watches(config)),
        _deployment(
            audit,
            "Compares mailbox, ledger, tickets and outbox, and alarms on any difference.",
            every=config.audit.every_minutes,
        ),
        _deployment(report, "Says how the promise was kept this year.", every=HOURLY),
        _deployment(
            reconcile,
            "Starts what lies down, and clears Prefect of old runs.",
            every=config.prefect.reconcile_minutes,
        ),
        *(_deployment(act, says, tags=(BY_HAND,)) for act, says in RARE_ACTS.items()),
    ]


def serve_flows(place: Installation) -> None:
    """Register the deployments, begin the shifts, and run what is due until told to stop."""
    runner = Runner(pause_on_shutdown=False, limit=RUNS_AT_ONCE, query_seconds=POLL_SECONDS)
    for deployment in deployments(place.config):
        runner.add_deployment(deployment)
    forget_missed_runs(place)
    start_shifts((*SHIFTS, sweep.name, audit.name, report.name))
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())


def _deployment(
    work: Flow[Any, Any],
    description: str,
    *,
    every: float | None = None,
    tags: Sequence[str] = (),
    triggers: Sequence[DeploymentEventTrigger] = (),
) -> RunnerDeployment:
    made = work.to_deployment(
        work.name,
        description=description,
        interval=timedelta(minutes=every) if every else None,
        triggers=list(triggers),
        tags=["meldbalie", *tags],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast(RunnerDeployment, made)

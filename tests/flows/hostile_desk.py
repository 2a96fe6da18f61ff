"""A Prefect server that shows what a hostile hand put there: markdown that calls other hosts."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import StateDetails
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Paused
from pydantic import BaseModel

OTHER = "http://images.elsewhere.example"
CALLS = f"""
# Read this first
![picture]({OTHER}/markdown.png)
<img src="{OTHER}/tag.png"> <iframe src="{OTHER}/frame"></iframe> <script src="{OTHER}/script.js"></script>
<link rel="stylesheet" href="{OTHER}/style.css"> <object data="{OTHER}/object"></object>
<form action="{OTHER}/form"><button>Send</button></form> <video src="{OTHER}/video" autoplay></video>
<p style="background: url({OTHER}/background.png)">written by somebody else</p>
"""


class Form(BaseModel):
    """What a handler is asked."""

    who: str
    note: str = ""


@flow(name="asked")
def asked() -> None:
    """Is never run: only its run is shown."""


@dataclass(frozen=True)
class HostileDesk:
    """Where it is shown."""

    client: SyncPrefectClient
    port: int
    run: UUID
    deployment: UUID
    artifact: UUID

    def paused_run(self) -> UUID:
        """Another run that waits for its form."""
        return _paused_run(self.client, self.deployment)

    def answer(self, run: UUID) -> Any:
        """What Prefect keeps as the answer to a run's form; ``None`` while there is none."""
        given = self.client.filter_flow_run_input(run, "form-response", 1, exclude_keys=set())
        return given[0].decoded_value if given else None


@contextmanager
def hostile_desk(api_url: str) -> Generator[HostileDesk]:
    """A deployment, a run that waits for its form, and an artifact; all with the same description."""
    with SyncPrefectClient(api_url) as client:
        yield _make(client, urlsplit(api_url).port or 0)


def _make(client: SyncPrefectClient, port: int) -> HostileDesk:
    flow_id = client.create_flow(asked)
    deployment = client.create_deployment(
        flow_id, name=f"asked-{uuid4()}", description=CALLS, path=".", entrypoint="nowhere:asked"
    )
    run = _paused_run(client, deployment)
    artifact = client.create_artifact(
        ArtifactCreate(key="overview", type="markdown", description=CALLS, data=CALLS, flow_run_id=run)
    )
    return HostileDesk(client, port, run, deployment, artifact.id)


def _paused_run(client: SyncPrefectClient, deployment: UUID) -> UUID:
    run = client.create_flow_run_from_deployment(deployment, name="CVD-2026-0042")
    keys = {"schema": "form-schema", "response": "form-response", "description": "form-description"}
    client.create_flow_run_input(run.id, keys["schema"], json.dumps(Form.model_json_schema()))
    client.create_flow_run_input(run.id, keys["description"], json.dumps(CALLS))
    state = Paused(reschedule=True, pause_key="form")
    state.state_details = StateDetails(pause_reschedule=True, pause_key="form", run_input_keyset=keys)
    set_state = client.set_flow_run_state(run.id, state, force=True)
    assert set_state.status == SetStateStatus.ACCEPT
    return run.id

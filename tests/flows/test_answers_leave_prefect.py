"""An answer that nobody took leaves Prefect's files with the run that it was given to, however that goes."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from meldbalie.flows import runs
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.view import View
from meldbalie.tests.flows.prefect_records import files, found, rows
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.orchestration import SyncPrefectClient

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


def deletes_the_run(client: SyncPrefectClient, run: UUID) -> None:
    client.delete_flow_run(run)


def deletes_many_runs(client: SyncPrefectClient, run: UUID) -> None:
    client._client.post("/flow_runs/bulk_delete", json={"flow_runs": {"id": {"any_": [str(run)]}}})


def deletes_the_deployment(client: SyncPrefectClient, run: UUID) -> None:
    deployment = client.read_flow_run(run).deployment_id
    assert deployment is not None
    client.delete_deployment(deployment)


def deletes_the_flow(client: SyncPrefectClient, run: UUID) -> None:
    client._client.delete(f"/flows/{client.read_flow_run(run).flow_id}")


@pytest.mark.parametrize(
    "deletes", [deletes_the_run, deletes_many_runs, deletes_the_deployment, deletes_the_flow]
)
def test_an_answer_goes_with_its_run(
    prefect_api: PrefectServer, deletes: Callable[[SyncPrefectClient, UUID], None]
) -> None:
    word = f"kanarie-{uuid4()}"
    question = runs.Question(1, SCHEMA, "The card.")
    with api() as client:
        made = client.create_deployment(client.create_flow_from_name(word[-8:]), "desk")
        shown = View("CVD-2026-0001", "Received", (), None)
        run, _ = runs.make(client, made, "CVD-2026-0001", word[-12:], shown, question)
        said = client._client.post(f"/flow_runs/{run}/resume", json={"run_input": {"text": word}})
        assert said.json()["status"] == "ACCEPT"
        assert found({"answer": word}, rows(prefect_api)) == {"flow_run_input.value: answer"}
        deletes(client, UUID(run))

    assert found({"answer": word}, rows(prefect_api)) == set()
    until(lambda: not found({"answer": word}, files(prefect_api.home)), "the files to be overwritten")

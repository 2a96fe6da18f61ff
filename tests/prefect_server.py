"""A real Prefect server for the tests: one a session, on a free port of loopback, with its own files."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from meldbalie.flows.operator.children import prefect_server
from meldbalie.flows.operator.logs import Logs
from meldbalie.flows.operator.supervisor import Supervisor
from meldbalie.settings import Prefect, Settings
from meldbalie.tests.ports import free_port
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    temporary_settings,
)


@dataclass(frozen=True)
class PrefectServer:
    """Where the server answers, and where it keeps what it knows."""

    port: int
    home: Path
    logs: Path

    @property
    def api_url(self) -> str:
        """The API."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def settings(self) -> Prefect:
        """How an installation is told of it."""
        return Prefect(api_url=self.api_url, port=self.port, home=self.home)


@pytest.fixture(scope="session")
def prefect_api() -> Generator[PrefectServer]:
    """A running Prefect server, and this process set to talk to it."""
    with running_prefect() as server:
        yield server


@contextmanager
def running_prefect() -> Generator[PrefectServer]:
    """Start a Prefect server of our own, let this process talk to it, and stop it."""
    home = Path(tempfile.mkdtemp(prefix="mbp"))
    port = free_port()
    server = PrefectServer(port, home, home / "log")
    config = Settings(prefect=Prefect(port=port, home=home))
    with (
        Supervisor([prefect_server(config)], say=lambda line: None, logs=Logs(server.logs, 10**8)),
        temporary_settings(
            {
                PREFECT_API_URL: server.api_url,
                PREFECT_HOME: home,
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
            }
        ),
    ):
        yield server
        for worker in (APILogWorker, EventsWorker):
            worker.drain_all()  # else what they still hold is tried for a minute when the server has gone
    shutil.rmtree(home, ignore_errors=True)

"""What every test may use: the doors to real servers, and nothing beyond loopback."""

import os
from collections.abc import Generator

import pytest
from meldbalie.tests.postgres import own_postgres_server, postgres_server
from meldbalie.tests.prefect_server import prefect_api

__all__ = ["own_postgres_server", "postgres_server", "prefect_api"]


@pytest.fixture(autouse=True, scope="session")
def _no_foreign_configuration() -> Generator[None]:
    """Tests never read an operator's configuration."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("MELDBALIE_"):
                patch.delenv(name)
        yield

"""An installation of one's own, its web app, and somebody who asks it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from meldbalie.settings import Settings
from meldbalie.tests.webhooks.installation import Installation, closed_app, install
from meldbalie.tests.webhooks.serving import browser, served
from meldbalie.webhooks.site import Site

__all__ = ["browser", "served"]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of one's own."""
    made = install(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def app(installation: Installation) -> Iterator[Site]:
    """Its web app."""
    yield from closed_app(installation)


@pytest.fixture
def client(app: Site) -> FlaskClient:
    """Somebody who asks it, in English."""
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def app_with(installation: Installation) -> Iterator[Callable[..., Site]]:
    """Makes further apps on the same database, with other settings."""
    made: list[Iterator[Site]] = []

    def make(**sections: object) -> Site:
        given = installation.config.model_dump() | sections
        other = Installation(Settings.model_validate(given), installation.database, installation.now)
        made.append(closed_app(other))
        return next(made[-1])

    yield make
    for opened in made:
        next(opened, None)

"""What the mailbox tests share: the cast, and letters to open."""

from collections.abc import Callable, Iterator

import pytest
from meldbalie.mailbox.opening import Opened, open_letter
from meldbalie.tests.cast import Cast, assembled

Open = Callable[[bytes], Opened]


@pytest.fixture(scope="session")
def cast() -> Iterator[Cast]:
    """Everybody, with keys."""
    with assembled() as everybody:
        yield everybody


@pytest.fixture
def opened(cast: Cast) -> Open:
    """Open a letter as the desk does."""
    return lambda raw: open_letter(raw, cast.desk)

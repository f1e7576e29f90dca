"""Endpoints on this machine, which only these tests may be sent to."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.parcels.webhooks.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def _open_guard(settings: Any) -> None:
    settings.WEBHOOKS_OVER_HTTP = settings.WEBHOOKS_TO_THIS_MACHINE = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server

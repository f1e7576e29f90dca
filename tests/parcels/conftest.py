"""What tests of booking files begin with: `pytestmark = pytest.mark.usefixtures("filing")`."""

from pathlib import Path
from typing import Any

import pytest

from alliance.models import City, Organisation
from parcels import tasks
from slas.models import Offer
from tests.slas import offering


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Files given to workers, instead of a worker."""
    files: list[int] = []
    monkeypatch.setattr(tasks.book_file, "delay", files.append)
    return files


@pytest.fixture
def lane_on_sale(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offering.offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000)


@pytest.fixture
def filing(settings: Any, tmp_path: Path, given: list[int], lane_on_sale: Offer) -> None:
    """A folder of its own for uploads, no worker that takes them, and something to book."""
    settings.MEDIA_ROOT = tmp_path

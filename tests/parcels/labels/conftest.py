"""A label, and layouts of both sizes."""

import pytest

from parcels.choices import LabelSize
from parcels.labels.layout import Layout
from parcels.labels.rules import Label, Place
from parcels.labels.texts import words

NUMBER = "CA0M8Q4Z7T2KX9W3"


@pytest.fixture
def label() -> Label:
    return Label(
        number=NUMBER,
        address=f"https://alliance.example/s/{NUMBER}",
        courier="岭南速运",
        tier="Next day",
        hour="Thu 4 Dec, 20:00",
        zone="Chengdu time, UTC+8",
        origin=Place("HGH", "Hangzhou", "杭州"),
        destination=Place("CTU", "Chengdu", "成都"),
        recipient="王**",
        phone="138******78",
        recipient_address="四川省成都市武侯区建设路***号***单元",
        sender="Lotus Tea",
        reference="ORD-1182",
        n=2,
        m=3,
    )


@pytest.fixture(params=[*LabelSize])
def layout(request: pytest.FixtureRequest) -> Layout:
    return Layout(request.param, words())

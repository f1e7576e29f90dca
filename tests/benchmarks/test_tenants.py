"""What the benchmark of a million merchants calls is served by the benchmarks' web server."""

import pytest
from django.urls import resolve

from benchmarks import floor_paths
from benchmarks.tenants_calls import Calls, calls_of
from benchmarks.tenants_world import TenantsWorld
from benchmarks.world import Member

WORLD = TenantsWorld(
    few=10, many=100, merchant=Member(1, "m"), courier=Member(2, "c"), merchant_session="sessionid=m",
    courier_session="sessionid=c", ops_session="sessionid=o", newcomer_sessions=["sessionid=n"],
    emails=["owner@m.example"], cities=["CNHGH", "CNCTU"],
)  # fmt: skip


@pytest.mark.parametrize("calls", list(calls_of(WORLD)), ids=lambda calls: calls.name)
def test_each_call_has_a_route(calls: Calls) -> None:
    for request in calls.requests[:1]:
        path = request.split(b" ", 2)[1].decode().partition("?")[0]
        assert resolve(path, "benchmarks.urls")


@pytest.mark.parametrize("address", [value for name, value in vars(floor_paths).items() if name.isupper()])
def test_each_floor_has_a_route(address: str) -> None:
    assert resolve(address.format("number"), "benchmarks.urls")

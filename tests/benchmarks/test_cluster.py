"""The benchmark of a cluster where there is none, and what capacity reckons from it where there is one."""

from dataclasses import replace

import pytest

from benchmarks import bench_citus, capacity, capacity_cluster, documents
from benchmarks.capacity_cluster import PREFIX, Measured
from benchmarks.capacity_model import ASSUMED, Cost, Model, limits
from benchmarks.rows import Row
from drills import chaos, cluster

KINDS = {
    "scans, 2,000 a batch": (0.9, 1.0),
    "single scans": (0.75, 400.0),
    "bookings, 1,000 a batch": (0.5, 10.0),
    "single bookings": (0.5, 900.0),
    "tracking": (0.6, 200.0),
}


def rows_of_a_cluster() -> list[Row]:
    return [
        Row(f"{PREFIX}{kind}, {whose}", 100 * ratio * share, 100, "one server", cost={"coordinator us": us})
        for kind, (ratio, us) in KINDS.items()
        for whose, share in (("1 client", 0.5), ("2 clients", 1.0))
    ]


def a_model(**costs: Cost) -> Model:
    nothing = dict.fromkeys(
        ("scan", "booking", "look", "call", "fold", "delivery fold", "progress", "late fold", "sweep",
         "credit", "watch"), Cost()
    )  # fmt: skip
    return Model({**nothing, **costs}, {"parcels_parcel": (400.0, 100.0)}, replace(ASSUMED, scans=8))


def measured() -> Measured:
    found = Measured.of({"rows": [row.as_json() for row in rows_of_a_cluster()]})
    assert found
    return found


@pytest.fixture
def without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cluster.VARIABLE, raising=False)


@pytest.mark.usefixtures("without_a_cluster")
def test_benchmark_says_that_it_did_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bench_citus.run(())) == []
    assert cluster.VARIABLE in capsys.readouterr().err


@pytest.mark.usefixtures("without_a_cluster")
def test_chaos_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main([]) == 0
    assert cluster.VARIABLE in capsys.readouterr().out


def test_a_folder_without_a_server_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.VARIABLE, "/usr/share")
    assert cluster.programs() is None


def test_rates_are_those_of_the_most_clients() -> None:
    found = measured()
    assert found.ratios["scans"] == pytest.approx(0.9)
    assert found.passed_on("single scans") == 2_500
    assert found.passed_on("scans") == 500
    assert found.scaling is None


def test_what_is_slower_there_takes_more_cores() -> None:
    model = a_model(scan=Cost(database=90), booking=Cost(database=50), look=Cost(database=60))
    life = 8 * 90 / 0.9 + 50 / 0.5 + ASSUMED.looks * 60 / 0.6
    plain = model.needs(1e9)
    needs = capacity_cluster.needs(model, measured(), 1e9)
    assert needs.worker_cores == pytest.approx(plain.database_cores * life / model.parcel.database)


def test_what_was_not_compared_costs_as_the_dearer_batches_do() -> None:
    model = a_model(fold=Cost(database=10))
    needs = capacity_cluster.needs(model, measured(), 1e9)
    assert needs.worker_cores == pytest.approx(model.needs(1e9).database_cores / 0.5)


def test_the_coordinator_passes_on_what_any_node_could() -> None:
    needs = capacity_cluster.needs(a_model(), measured(), 1e9)
    looks = 200 * (ASSUMED.looks + ASSUMED.calls)
    assert needs.all_cores / needs.own_cores == pytest.approx((10 + 8 + looks) / 10)


def test_the_fullest_worker_holds_its_homes() -> None:
    model = a_model()
    # A year of so many fills the disks of 15 workers, if one could hold 4.27 homes.
    parcels = 15 * ASSUMED.database_bytes / model.needs(1.0).disk
    needs = capacity_cluster.needs(model, measured(), parcels)
    assert (needs.workers, needs.homes_each) == (16, 4)
    assert needs.homes_each * needs.shard_bytes <= ASSUMED.database_bytes


def test_a_small_alliance_has_one_worker_with_all_homes() -> None:
    needs = capacity_cluster.needs(a_model(), measured(), 1e6)
    assert (needs.workers, needs.homes_each, needs.machines) == (1, 64, 5)


def test_limits_of_a_cluster_are_in_parcels_a_year() -> None:
    model = a_model(watch=Cost(database=100, worker=100))
    found = {limit.what: limit.parcels for limit in capacity_cluster.limits(model, measured())}
    parcels_a_day = found["one refresh of the watch list within its interval"] / 365.25
    assert parcels_a_day * model.seen * 200e-6 == pytest.approx(ASSUMED.refresh)


def test_folds_and_connections_are_reckoned_at_the_peak() -> None:
    model = a_model(fold=Cost(database=10, worker=10), look=Cost(web=100))
    found = {limit.what: limit.parcels for limit in limits(model)}
    peak = model.needs(1.0).bookings * ASSUMED.peak / ASSUMED.busy
    folds = found[f"folds of {ASSUMED.shares:g} shares of couriers"] * peak
    assert folds * 3 * 20e-6 == pytest.approx(ASSUMED.shares)
    one = model.needs(1.0)
    connections = one.web_cores * ASSUMED.threads + one.worker_cores
    assert found["connections: a web thread has one"] * connections == pytest.approx(ASSUMED.connections)


def test_a_run_without_a_cluster_keeps_what_was_measured_of_one() -> None:
    cluster_rows = [row.as_json() for row in rows_of_a_cluster()]
    stored = {"rows": [Row("gone", 1).as_json(), *cluster_rows]}
    run = {"rows": [Row("new", 1).as_json()]}
    assert documents.merge(stored, run, []) == {"rows": [*run["rows"], *cluster_rows]}
    again = {"rows": cluster_rows[:1]}
    assert documents.merge(stored, again, []) == again


def test_tables_say_when_no_cluster_was_measured() -> None:
    assert {table({"rows": []}) for table in capacity.CLUSTER_TABLES.values()} == {"No cluster was measured."}

"""The benchmarks' own arithmetic: goals, tables, comparisons, plans, the capacity model, and the docs."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from benchmarks import __main__, comparing, documents, machine, profile_table, rows, watching
from benchmarks.capacity_model import Assumed, Cost, Model, limits
from benchmarks.clients import LoadResult, Response, sum_of
from benchmarks.inside import Clock
from benchmarks.plans import parts_of_plan
from benchmarks.rows import Goal, Row
from benchmarks.scan_bodies import RAMP, Lot, batches, parcels_needed, singly
from benchmarks.scan_loads import Stream
from benchmarks.world import Member, World
from slas.forecasts.watch_rules import HORIZON, NEAR, REFRESH, turns_since

SCANS = Row("scans", 26_000, 32_500, "bare", Goal(ratio=0.7), memory={"web": 240.4})


# --- the world -------------------------------------------------------------------------------


def test_a_world_with_too_few_parcels_says_how_to_have_more() -> None:
    courier = Member(1, "token")
    world = World([courier], [], {}, watching.Watch({}), size=20_000, _waiting={1: [11, 12, 13]})
    assert world.parcels(courier, 2) == [11, 12]
    with pytest.raises(
        SystemExit, match="Only 1 parcels of a courier .* not 2: give --parcels a larger number than 20,000"
    ):
        world.parcels(courier, 2)


# --- rows and goals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "is_missed"),
    [
        (SCANS, False),
        (replace(SCANS, ours=22_000), True),
        (replace(SCANS, floor=40_000), True),
        # A slower machine is slower on both sides.
        (replace(SCANS, ours=8_000, floor=10_000), False),
        (Row("list", 12, 10, "page 1", Goal(ratio_most=1.5), unit="ms"), False),
        (Row("list", 16, 10, "page 1", Goal(ratio_most=1.5), unit="ms"), True),
        (Row("file", 5_000, goal=Goal(worker_mb=300), memory={"worker": 301}), True),
        (Row("of no goal", 1), False),
    ],
)
def test_a_row_says_whether_its_goal_is_met(row: Row, is_missed: bool) -> None:
    assert row.missed is is_missed


@pytest.mark.parametrize(
    ("unit", "first", "last", "has_fallen"),
    [("/s", 100, 86, False), ("/s", 100, 84, True), ("ms", 10, 11, False), ("ms", 10, 13, True)],
)
def test_growth_is_judged_from_the_smallest_size_to_the_largest(
    unit: str, first: float, last: float, has_fallen: bool
) -> None:
    goal = Goal(kept=0.85)
    rows_by_size = [
        Row("it", ours, unit=unit, size=size, goal=goal) for size, ours in ((10, first), (160, last))
    ]
    rows_by_size.insert(1, Row("it", 1, unit=unit, size=40, goal=goal))
    assert rows.has_fallen(rows_by_size) is has_fallen
    assert rows.missed(rows_by_size) == (["it, growing"] if has_fallen else [])


def test_table_of_middleware_shows_what_a_call_does_not_pass_as_blank() -> None:
    rows_of_it = [{"where": "A", "us": {"page": 12.4, "health": 3}}, {"where": "B", "us": {"page": 1_000}}]
    assert profile_table.middleware_table(rows_of_it).splitlines()[2:] == [
        "| A | 12 | 3 |",
        "| B | 1,000 |  |",
        "| all | 1,012 | 3 |",
    ]
    assert profile_table.middleware_table([]) == ""


def test_table_leaves_out_empty_columns() -> None:
    assert rows.table([SCANS, Row("sized", 3, size=10)]) == (
        "| what | ours | floor | floor is | ratio | goal | met | web MB |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| scans | 26,000 /s | 32,500 /s | bare | 0.80 | ratio 0.7 | yes | 240 |"
    )


def test_growth_has_a_column_a_size() -> None:
    rows_by_size = [
        Row("scans", ours, size=size, goal=Goal(kept=0.85)) for size, ours in ((250, 200), (4_000, 150))
    ]
    assert rows.growth_table(rows_by_size) == (
        "| what | 250 | 4,000 | last / first | goal | met |\n"
        "|---|---|---|---|---|---|\n"
        "| scans | 200 /s | 150 /s | 0.75 | within 15 % of the smallest size's | no |"
    )


def test_costs_beside_several_floors_are_told_once() -> None:
    row = replace(SCANS, cost={"web us": 10.0})
    table = rows.cost_table([row, replace(row, floor_is="another"), Row("without costs", 1)])
    assert table.splitlines()[2:] == ["| scans | 10 |"]


def test_rows_are_stored_and_read_again() -> None:
    assert Row.from_json(json.loads(json.dumps(SCANS.as_json()))) == SCANS


def test_a_stored_goal_of_a_kind_that_is_no_more_is_none() -> None:
    assert Row.from_json({**SCANS.as_json(), "goal": {"rate": 25_000, "ratio": None}}).goal is None


def test_a_table_shows_how_far_the_rounds_differ() -> None:
    row = replace(SCANS, ratios=[0.5, 0.6, 0.7, 0.8, 0.9])
    assert row.ratio == 0.7
    assert "| ratio | quartiles | goal |" in rows.table([row])
    assert "| 0.70 | 0.60 to 0.80 | ratio 0.7 |" in rows.table([row])


def test_an_unknown_benchmark_is_answered_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch.object(sys, "argv", ["benchmarks", "scans", "nonsense"]):
        assert __main__.main() == 2
    said = capsys.readouterr().err
    assert "There is no benchmark nonsense; there are: " in said
    assert {"bookings", "calls", "history", "profile", "tracking"} <= set(
        said.partition("there are: ")[2].rstrip(".\n").split(", ")
    )


# --- comparing -------------------------------------------------------------------------------


def test_fallen_ratio_is_reported_and_fails() -> None:
    report, is_worse = comparing.report([SCANS], [replace(SCANS, ours=20_000)], tolerance=0.15)
    assert is_worse
    assert "| scans, beside bare | 0.80 | 0.62 | -23% | ratio | worse |" in report
    assert report.endswith("WORSE by more than 15%: scans, beside bare.")


def test_a_slower_machine_is_no_worse_ratio() -> None:
    report, is_worse = comparing.report([SCANS], [replace(SCANS, ours=13_000, floor=16_250)])
    assert not is_worse
    assert report.endswith("No ratio fell by more than 15%.")


def test_of_times_less_is_better() -> None:
    before, after = (Row("list", ours, 10, "page 1", unit="ms") for ours in (12, 15))
    assert comparing.report([before], [after])[1]
    assert not comparing.report([after], [before])[1]


def test_rows_without_a_floor_are_shown_and_judge_nothing() -> None:
    report, is_worse = comparing.report([Row("page", 100)], [Row("page", 10), Row("new", 1)])
    assert not is_worse
    assert "| page | 100 /s | 10 /s | -90% | figure | worse |" in report
    assert "New: new" in report


def test_runs_without_common_rows_are_reported() -> None:
    report, is_worse = comparing.report([SCANS], [Row("other", 1)])
    assert not is_worse
    assert "Nothing in common to compare." in report


# --- load and what it takes ------------------------------------------------------------------


def test_each_counted_batch_has_as_many_of_every_stage() -> None:
    parcels = [1000 << 22 | 8 * n for n in range(parcels_needed(3, 10))]
    laid_out = batches([pk for pk in parcels if _is_issued(pk)], 3)
    assert len(laid_out) == RAMP + 3
    for batch in laid_out[RAMP:]:
        assert {line["code"] for line in batch} == {
            "picked_up", "departed", "arrived", "out_for_delivery", "delivered"
        }  # fmt: skip


def test_a_stream_goes_on_where_its_last_turn_ended() -> None:
    parcels = list(range(1000 << 22, (1000 << 22) + parcels_needed(5, 10) * 64, 8))
    parcels = [pk for pk in parcels if _is_issued(pk)][: parcels_needed(5, 10)]
    stream = Stream(_WorldOfOne(parcels), turns=2, batches=2, size=10)  # type: ignore[arg-type]
    lots: list[Lot] = []

    def work(ready: Callable[[], Any], target: str, courier: str, lot: Lot) -> LoadResult:
        lots.append(lot)
        return LoadResult()

    with mock.patch("benchmarks.scan_loads.run_parallel", lambda work, jobs: work(None, *jobs[0])):
        for _turn in range(2):
            stream.send(work, "here")
    assert [lot.uncounted for lot in lots] == [RAMP, 1]
    assert [lines for lot in lots for lines in lot.batches()] == batches(parcels, 5)


class _WorldOfOne:
    """One courier, and its parcels."""

    couriers = ("courier",)

    def __init__(self, parcels: list[int]) -> None:
        self._parcels = parcels

    def parcels(self, courier: str, count: int) -> list[int]:
        assert len(self._parcels) == count
        return self._parcels


def test_scans_of_a_parcel_come_in_their_order() -> None:
    parcels = [pk for pk in (1000 << 22 | 8 * n for n in range(250)) if _is_issued(pk)]
    of_one: dict[str, list[str]] = {}
    for line in singly(parcels):
        of_one.setdefault(line["tracking_number"], []).append(line["occurred_at"])
    assert len(of_one) == len(parcels)
    assert all(times == sorted(times) for times in of_one.values())


def test_rounds_add_up_to_one_rate() -> None:
    total = sum_of([LoadResult(100, 1.0, [0.1] * 99 + [0.9]), LoadResult(200, 3.0, [0.1] * 100)])
    assert total.rate == 75
    assert total.latencies == {"p50": "100.0 ms", "p99": "100.0 ms"}
    assert total.milliseconds(1) == 900


@pytest.mark.parametrize(
    ("status", "head", "seconds"),
    [
        (503, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\n", 2),
        (429, b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n", 1),
        (500, b"HTTP/1.1 500 Oops\r\nRetry-After: 2\r\n", 0),
        (503, b"HTTP/1.1 503 Service Unavailable\r\n", 0),
    ],
)
def test_clients_wait_for_retry_after(status: int, head: bytes, seconds: float) -> None:
    assert Response(status, b"", head).retry_after == seconds


def test_a_tree_is_a_process_and_all_below_it() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    assert sorted(watching.tree(10, parents)) == [10, 11, 12]


def test_this_process_takes_memory_and_time() -> None:
    import os  # noqa: PLC0415

    # What CI runs on has it: there, that it cannot be read is a fault.
    if not Path("/proc/self/smaps_rollup").exists() and os.environ.get("CI") != "true":
        pytest.skip("no /proc here")
    watch = watching.Watch({"web": os.getpid()}, iter((1_000, 5_000)).__next__)
    with watch.usage() as usage:
        sum(range(1_000_000))
    assert usage.memory["web"] > 10
    assert usage.wal == 4_000
    assert usage.cost(1_000)["WAL bytes"] == 4


# --- profile ---------------------------------------------------------------------------------


def test_a_part_is_counted_without_what_it_calls() -> None:
    clock = Clock()
    with clock.part("outer"), clock.part("inner"):
        sum(range(200_000))
    assert 0 <= clock.seconds["outer"] < clock.seconds["inner"]


def test_the_time_of_a_cte_is_its_own_and_not_its_readers() -> None:
    lookup = _node("Index Scan", 30, 8) | {"Subplan Name": "CTE locked"}
    first = _node("CTE Scan", 32, 8) | {"CTE Name": "locked"}
    again = _node("CTE Scan", 3, 0) | {"CTE Name": "locked"}
    insert = _node("ModifyTable", 50, 20, [first]) | {"Subplan Name": "CTE written"}
    plan = {"Plan": _node("Result", 55, 20, [lookup, insert, again])}
    parts = {part["cte"]: (round(part["us"]), part["buffers"]) for part in parts_of_plan(plan, scans=1_000)}
    # Answered: 55 less the second reading; locked, written and both readings add up to all there is.
    assert parts == {"locked": (30, 0.008), "written": (20, 0.012), "SELECT": (55, 0.02)}


def test_a_profile_adds_up() -> None:
    table = profile_table.table([{"where": "a", "us": 30.0}, {"where": "b", "us": 10.0}])
    assert table.splitlines()[2:] == ["| a | 30.00 | 75% |", "| b | 10.00 | 25% |", "| all | 40.00 |  |"]


def test_limit_text_has_numbers() -> None:
    row = {"what": "scans over HTTP, JSON, 2,000 a batch, 4 clients", "ours": 30_000.0}
    plan = [
        {"does": "update of the parcels", "us": 15.0, "buffers": 9.0, "wal_bytes": 300.0},
        {"does": "insert of the scans", "us": 5.0, "buffers": 3.0, "wal_bytes": 200.0},
    ]
    cost = {"web us": 10.0, "database us": 30.0}
    run = {"rows": [{**row, "cost": {}}, {**row, "cost": cost}], "machine": {"cores": 2}, "plan": plan}
    text = profile_table.limit_text(run)
    assert "2 cores do\n50,000 a second of that at most" in text
    assert (
        "update of the parcels 75%, insert of the scans 25%. A scan touches 12 pages and leaves 500 bytes"
        in text
    )


# --- the capacity model ----------------------------------------------------------------------

PLAIN = Assumed(scans=8, looks=2, calls=1, peak=4, busy=0.5, late=0.0, months=3, refresh=86_400)


def _model(assumed: Assumed = PLAIN) -> Model:
    costs = dict.fromkeys(
        ("fold", "delivery fold", "progress", "late fold", "sweep", "credit", "watch"), Cost(0, 0, 0, 0)
    )
    costs["scan"] = Cost(web=10, database=30, worker=0, wal=1_000)
    costs["booking"] = Cost(web=100, database=60, worker=0, wal=2_000)
    costs["look"] = Cost(web=1_000, database=500, worker=0, wal=0)
    costs["call"] = Cost(web=300, database=100, worker=0, wal=0)
    sizes = {"parcels_parcel": (400.0, 100.0), "parcels_scan": (100.0, 50.0)}
    return Model(costs, sizes, assumed)


def test_a_parcels_life_is_a_booking_its_scans_and_looks_at_it() -> None:
    assert _model().parcel == Cost(
        web=100 + 80 + 2_000 + 300, database=60 + 240 + 1_000 + 100, worker=0, wal=10_000
    )


def test_needs_follow_from_rates_at_the_peak() -> None:
    needs = _model().needs(365.25 * 86_400)
    assert (needs.bookings, needs.scans) == (1, 8)
    # One parcel a second, four at the peak, cores half busy.
    assert needs.database_cores == pytest.approx(4 * 1_400e-6 / 0.5)
    assert needs.disk == pytest.approx(365.25 * 86_400 / 4 * (500 + 8 * 150))
    assert needs.wal_a_day == pytest.approx(86_400 * 10_000)


def test_needs_grow_in_step_with_parcels() -> None:
    small, large = (_model().needs(parcels) for parcels in (1e6, 1e9))
    assert large.web_cores == pytest.approx(1_000 * small.web_cores)
    assert large.disk == pytest.approx(1_000 * small.disk)


def test_what_gives_way_first_comes_first() -> None:
    sizes = [limit.parcels for limit in limits(_model(replace(PLAIN, late=0.05))) if limit.parcels]
    assert sizes == sorted(sizes)


def test_the_watch_list_looks_as_often_as_its_turns_say() -> None:
    # The day before a promise: each refresh looks at who is due soon, at whose turn it is, and at trouble.
    due_at = datetime.fromtimestamp(86_400 * 20_000, UTC)
    refreshes = [due_at - HORIZON + number * REFRESH for number in range(HORIZON // REFRESH)]
    looks = sum(due_at <= now + NEAR or turns_since(now - REFRESH, now) == [3] for now in refreshes)
    assert _model().seen == pytest.approx(looks / len(refreshes))
    assert _model(replace(PLAIN, late=1)).seen == 1


def test_lateness_costs() -> None:
    model = _model()
    costs = {**model.costs, "sweep": Cost(0, 1_000, 0, 0)}
    late = Model(costs, model.bytes, replace(PLAIN, late=0.1))
    assert late.parcel.database == pytest.approx(model.parcel.database + 100)


# --- docs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(documents.PARTS))
def test_docs_say_what_the_stored_run_says(page: str) -> None:
    text = (documents.DOCS / page).read_text()
    assert text == documents.render(text, documents.stored_run(), documents.PARTS[page])


@pytest.mark.parametrize("page", sorted(documents.PARTS))
def test_every_table_of_the_stored_run_has_its_place(page: str) -> None:
    text = (documents.DOCS / page).read_text()
    assert [name for name in documents.PARTS[page] if f"<!-- {name}: " not in text] == []


def test_new_rows_replace_stored_ones() -> None:
    stored = {"date": "then", "commit": "a", "rows": [SCANS.as_json(), Row("kept", 1).as_json()]}
    run = {"date": "now", "commit": "b", "rows": [replace(SCANS, ours=1).as_json()]}
    merged_run = documents.merge(stored, run, ["scans"])
    assert merged_run["date"] == "then"
    assert merged_run["measured again"] == {"scans": {"date": "now", "commit": "b"}}
    again = documents.merge(merged_run, {**run, "date": "later"}, ["lists"])["measured again"]
    assert again == {"scans": {"date": "now", "commit": "b"}, "lists": {"date": "later", "commit": "b"}}
    assert {row["what"]: row["ours"] for row in merged_run["rows"]} == {"kept": 1, "scans": 1}
    assert documents.merge(stored, run, []) == run


def test_docs_say_what_was_measured_again() -> None:
    run = {
        "date": "2026-11-30T13:26", "commit": "a", "versions": {"Python": "3", "PostgreSQL": "18"},
        "machine": {"processor": "it", "cores": 2, "memory_gb": 4.0},
    }  # fmt: skip
    assert machine.sentence(run) == "2026-11-30, commit a; 2 cores of it, 4 GB; Python 3, PostgreSQL 18"
    again = {"citus": {"date": "2026-12-01T10:00", "commit": "b"}}
    found = machine.sentence({**run, "measured again": again})
    assert found.endswith("18. Since then measured again: citus (2026-12-01, commit b)")


def _is_issued(parcel_id: int) -> bool:
    from alliance.identifiers import is_allowed  # noqa: PLC0415

    return is_allowed(parcel_id)


def _node(kind: str, milliseconds: float, pages: int, plans: list[dict[str, object]] | None = None) -> dict:
    return {
        "Node Type": kind,
        "Actual Total Time": milliseconds,
        "Actual Loops": 1,
        "Shared Hit Blocks": pages,
        "Plans": plans or [],
    }

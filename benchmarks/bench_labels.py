"""A thousand labels in one file, beside the thousand QR codes that are in it."""

import time
from collections.abc import Callable, Iterator

from django.utils import timezone

from alliance.identifiers import RANDOM_BITS, new_parcel_id, tracking_number
from benchmarks.rows import Goal, Row
from benchmarks.turns import time_row
from benchmarks.world import World
from drills.hostile_labels import hostile_label
from parcels.choices import LabelSize
from parcels.labels import pdf, zpl
from parcels.labels.barcodes import squares
from parcels.labels.layout import Layout
from parcels.labels.rules import Label, Place
from parcels.labels.texts import words

LABELS, ROUNDS = 1_000, 5
FLOOR = "their QR codes alone"
_NAMES = "王李张刘陈杨黄赵吴周"


def run(_world: World) -> Iterator[Row]:
    """Measure all in turns, by the processor's time."""
    layout = Layout(LabelSize.NARROW, words())
    labels = [_label(place) for place in range(LABELS)]
    hostile = [hostile_label(seed)[0] for seed in range(LABELS)]
    sides: dict[str, Callable[[], object]] = {
        "a PDF": lambda: pdf.render(labels, layout),
        "ZPL at 203 dpi": lambda: [*zpl.render(labels, layout, dpi=203)],
        "a PDF, of hostile texts": lambda: pdf.render(hostile, layout),
        FLOOR: lambda: [squares(label.address) for label in labels],
    }
    took: dict[str, list[float]] = {name: [_milliseconds(side)] for name, side in sides.items()}
    for turn in range(ROUNDS):
        for name in sides if turn % 2 == 0 else reversed(sides):
            took[name].append(_milliseconds(sides[name]))
    # The first time, typefaces are read.
    *ours, floor = ((name, times[1:]) for name, times in took.items())
    for name, times in ours:
        yield time_row(f"{LABELS:,} labels as {name}", times, floor[1], FLOOR, Goal(ratio_most=12))


def _label(place: int) -> Label:
    number = tracking_number(new_parcel_id(timezone.now(), random_bits=place * 97 % 2**RANDOM_BITS))
    return Label(
        number=number,
        address=f"https://alliance.example/s/{number}/",
        courier="岭南速运",
        tier="次日达",
        hour="12月4日周四 20:00",
        zone="成都时间 UTC+8",
        origin=Place("HGH", "杭州", "Hangzhou"),
        destination=Place("CTU", "成都", "Chengdu"),
        recipient=f"{_NAMES[place % len(_NAMES)]}**",
        phone=f"13{place % 10}******{place % 100:02}",
        recipient_address=f"成都市武侯区人民南路***段***号，近{_NAMES[place % 7]}家{_NAMES[place % 9]}店",
        sender="杭州莲香茶业有限公司",
        reference=f"SO-2026-{place:05}",
    )


def _milliseconds(draw: Callable[[], object]) -> float:
    begun = time.process_time()
    draw()
    return 1_000 * (time.process_time() - begun)

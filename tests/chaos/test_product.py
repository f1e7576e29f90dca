"""The product is killed part by part, and whole, while clients book and scan over HTTP; nothing is lost.

In a long run its servers are also paused for a while, and its disk fills up.

What a client was told is done is there, once; what it was not told is there whole or not at all; and each of
its retries ended well. Some seconds of it in every run of the tests; `make chaos SECONDS=120` is two minutes.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from tests.chaos import programs, stack

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
CLIENTS = 4


@pytest.mark.chaos
def test_what_clients_were_told_is_so_whatever_is_killed_when(tmp_path: Path) -> None:
    seed = os.environ.get("CHAOS_SEED", "20261122")
    with stack.running(tmp_path) as product:
        product.run("tests.chaos.product", "populate", tmp_path, product.port)
        clients = [
            programs.script("shoppers", product.environment, tmp_path, number, seed, tmp_path)
            for number in range(CLIENTS)
        ]
        with programs.running(clients):
            product.wreak_havoc(clients, seconds=SECONDS, source=random.Random(seed))
            for client in clients:
                # It ends what it has begun: nothing is killed any more.
                client.finish()
        found = stack.verdict_of(product)
    sys.stdout.write(f"seed {seed}: {found['happened']}, kills {dict(product.kills)}\n")
    assert [*product.wrong, *found["wrong"]] == []
    assert all(found["happened"].values()), found["happened"]
    assert all(product.kills[part] for part in product.parts_of(SECONDS)), product.kills

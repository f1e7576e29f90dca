"""Guessing passwords: free tries, waits that grow, and whom they hold up."""

from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import RedisError

from alliance.web import guesses
from alliance.web.guesses import ACCOUNT, ADDRESS, TooManyGuesses, guess

OWNER = "owner@alliance.example"


def wrong(account: str = OWNER, address: str = "198.51.100.7", device: str = "") -> None:
    with guess(account=account, address=address, device=device) as this:
        this.was_wrong = True


def right(account: str = OWNER, address: str = "198.51.100.7", device: str = "") -> None:
    with guess(account=account, address=address, device=device):
        pass


@pytest.fixture(params=["shared", "own"])
def tally(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count in Valkey, and in the process while Valkey is away."""
    monkeypatch.setattr(guesses, "_state", {"away_until": 0.0})
    if request.param == "own":
        monkeypatch.setattr(guesses, "_own", guesses._OwnTally())

        def away() -> Any:
            raise RedisError

        monkeypatch.setattr(guesses, "_shared", away)


@pytest.mark.usefixtures("tally")
def test_an_address_that_guesses_has_to_wait_even_with_the_right_password() -> None:
    for _try in range(ADDRESS.free):
        wrong()
    with pytest.raises(TooManyGuesses) as refused:
        right()
    assert 0 < (refused.value.retry_after or 0) <= ADDRESS.first_wait
    with pytest.raises(TooManyGuesses):
        right(account="another@alliance.example")


@pytest.mark.usefixtures("tally")
def test_one_attacker_does_not_keep_the_owner_out() -> None:
    for _try in range(200):
        try:
            wrong()
        except TooManyGuesses:
            continue
    right(address="203.0.113.9")


@pytest.mark.usefixtures("tally")
def test_many_addresses_guess_at_one_account_as_slowly_as_one() -> None:
    for number in range(ACCOUNT.free):
        wrong(address=f"198.51.100.{number}")
    with pytest.raises(TooManyGuesses) as refused:
        wrong(address="203.0.113.9")
    assert (refused.value.retry_after or 0) <= ACCOUNT.longest_wait


@pytest.mark.usefixtures("tally")
def test_a_browser_that_was_here_before_is_not_held_up_by_others() -> None:
    for number in range(ACCOUNT.free):
        wrong(address=f"198.51.100.{number}")
    for _try in range(ADDRESS.free):
        wrong(account="another@alliance.example", address="203.0.113.9")
    right(address="203.0.113.9", device="known")


@pytest.mark.usefixtures("tally")
def test_a_stolen_browser_guesses_no_faster() -> None:
    for number in range(ADDRESS.free):
        wrong(address=f"198.51.100.{number}", device="stolen")
    with pytest.raises(TooManyGuesses):
        wrong(address="203.0.113.9", device="stolen")


@pytest.mark.usefixtures("tally")
def test_right_passwords_and_interrupted_ones_cost_nothing() -> None:
    for _try in range(ADDRESS.free * 2):
        right()
    for _try in range(ADDRESS.free * 2):
        with pytest.raises(RuntimeError), guess(account=OWNER, address="198.51.100.7"):
            raise RuntimeError
    wrong()


@pytest.mark.usefixtures("tally")
def test_own_log_ins_between_guesses_give_no_new_tries() -> None:
    for _try in range(ADDRESS.free):
        wrong()
        try:
            right(account="attacker@alliance.example")
        except TooManyGuesses:
            continue
    with pytest.raises(TooManyGuesses):
        wrong()


def test_waits_grow_up_to_the_longest() -> None:
    waits = [ADDRESS.wait_after(tries) for tries in range(ADDRESS.free - 1, ADDRESS.free + 8)]
    assert waits == [0, 30, 60, 120, 240, 480, 900, 900, 900]
    assert ADDRESS.wait_after(10**9) == ADDRESS.longest_wait


def test_counts_of_this_process_end_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, now = guesses._OwnTally(), 1_000.0
    monkeypatch.setattr(guesses, "time", SimpleNamespace(monotonic=lambda: now))
    assert [tally.count("a"), tally.count("a")] == [1, 2]
    assert tally.claim("a", 30)
    assert not tally.claim("a", 30)
    now += 30
    assert tally.seconds_left("a") == 0
    now += guesses.COUNTED_FOR
    assert tally.count("a") == 1


def test_the_wait_is_told_in_words() -> None:
    assert "in 1 second." in TooManyGuesses(1).detail
    assert "in 30 seconds." in TooManyGuesses(30).detail
    assert "in 15 min." in TooManyGuesses(900).detail
    assert "in 2 min." in TooManyGuesses(61).detail

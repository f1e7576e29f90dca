"""Hashing of passwords: how many at a time."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from alliance.errors import Unavailable
from alliance.web import hashers
from alliance.web.hashers import BoundedArgon2PasswordHasher


class Memory:
    """Argon2 that only counts how many take memory at once, until it is released."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Semaphore(0), threading.Event()
        self.now = self.most = 0
        self.lock = threading.Lock()

    def take(self, *_password: str) -> bool:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.begun.release()
        self.release.wait(10)
        with self.lock:
            self.now -= 1
        return True


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Memory]:
    settings.WEB_HASHES, settings.WEB_PLACES, settings.WEB_PATIENCE_SECONDS = 2, 4, 10.0
    hashers._gate.cache_clear()
    memory = Memory()
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda _hasher, *password: memory.take(*password))
    yield memory
    hashers._gate.cache_clear()


def test_only_some_passwords_are_hashed_at_a_time(memory: Memory) -> None:
    threads = [
        threading.Thread(target=BoundedArgon2PasswordHasher().verify, args=("x", "y")) for _n in range(4)
    ]
    for thread in threads:
        thread.start()
    assert memory.begun.acquire(timeout=10)
    assert memory.begun.acquire(timeout=10)
    memory.release.set()
    for thread in threads:
        thread.join()
    assert memory.most == 2


def test_more_than_can_wait_are_refused_at_once(memory: Memory) -> None:
    threads = [
        threading.Thread(target=BoundedArgon2PasswordHasher().verify, args=("x", "y")) for _n in range(2)
    ]
    gate = hashers._gate()
    for thread in threads:
        thread.start()
    assert memory.begun.acquire(timeout=10)
    assert memory.begun.acquire(timeout=10)
    with gate.place("passwords"), gate.place("passwords"), pytest.raises(Unavailable):
        BoundedArgon2PasswordHasher().verify("x", "y")
    memory.release.set()
    for thread in threads:
        thread.join()

"""Passwords: long, not among the common ones, and not quickly guessed."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from alliance.models import User
from tests import factories


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "P@ssw0rd1234", "iloveyou12345", "qwertyuiop12", "1q2w3e4r5t6y", "zaq12wsxcde3",
        "abcdefghijkl", "aaaaaaaaaaaa", "abcabcabcabc", "trustno1trustno1", "administrator1",
        "courieralliance", "chenxiaoyan1", "杭州杭州杭州杭州杭州杭州", "a" * 5_000,
    ],
)  # fmt: skip
def test_password_that_is_guessed_soon_is_refused(password: str) -> None:
    user = User(email="mei@alliance.example", name="chenxiaoyan")
    with pytest.raises(ValidationError) as refusal:
        validate_password(password, user)
    assert "password_guessable" in {error.code for error in refusal.value.error_list}


@pytest.mark.parametrize(
    "password",
    [
        factories.PASSWORD,
        "another-long-passphrase",
        "Wm7!kzQ2pLx9",
        "龙井茶叶与青花瓷的故事很长",
        "🦜🌋🧭🪕🥟🛶🪁🧶🦔🎐🪷🫖",
    ],
)
def test_password_that_takes_long_to_guess_is_taken(password: str) -> None:
    validate_password(password, User(email="mei@alliance.example"))

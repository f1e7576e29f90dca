"""Whether a secret key is one. Pure functions."""

from itertools import pairwise

LEAST_LENGTH, LEAST_DIFFERENT = 40, 12
# As examples and templates have them, and as fingers find them on a keyboard.
_EXAMPLES = (
    *("changeme", "change-me", "change_me", "secret", "example", "password", "your-", "your_", "insecure"),
    *("replace", "placeholder", "not-use", "not_use", "random", "qwerty", "asdf", "1q2w3e", "zxcv"),
)


def weakness_of(key: str) -> str:
    """Return what is wrong with a secret key: who guesses it can log in as anybody. Empty if nothing is."""
    if len(key) < LEAST_LENGTH:
        return f"has {len(key)} characters, and needs {LEAST_LENGTH}"
    if len(set(key)) < LEAST_DIFFERENT:
        return "repeats a few characters"
    if any(example in key.lower() for example in _EXAMPLES):
        return "is that of an example"
    if any(key[period:] == key[:-period] for period in range(1, len(key) // 2 + 1)):
        return "repeats itself"
    steps = [abs(ord(after) - ord(before)) for before, after in pairwise(key)]
    if steps.count(1) > len(steps) // 3:
        return "counts up or down"
    # Of a random key in base 64, one in a thousand has no digit.
    if not (any(map(str.isdigit, key)) and any(map(str.isalpha, key))):
        return "is not made of letters and digits at random"
    return ""

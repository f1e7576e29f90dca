"""Whether a secret key is one. Pure functions."""

LEAST_LENGTH, LEAST_DIFFERENT = 40, 12
# As examples and templates have them.
_EXAMPLES = (
    "django-insecure",
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "example",
    "password",
    "your-",
)


def weakness_of(key: str) -> str:
    """Return what is wrong with a secret key: who guesses it can log in as anybody. Empty if nothing is."""
    if len(key) < LEAST_LENGTH:
        return f"has {len(key)} characters, and needs {LEAST_LENGTH}"
    if len(set(key)) < LEAST_DIFFERENT:
        return "repeats a few characters"
    if any(example in key.lower() for example in _EXAMPLES):
        return "is that of an example"
    return ""

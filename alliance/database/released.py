"""The release before this one: what is serving while this one's migrations run.

At a release, `[tool.released]` in pyproject.toml is set to it. `lint_migrations` judges the migrations after
its last ones; the drill `rollout` runs the code of its revision.
"""

import tomllib
from pathlib import Path

_FOUND = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["tool"][
    "released"
]
REVISION: str = _FOUND["revision"]
# By app.
LAST_MIGRATIONS: dict[str, str] = _FOUND["last-migrations"]

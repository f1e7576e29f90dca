"""A real PostgreSQL and a real Redis-compatible server out of two Python wheels.

With `DATABASE_URL` and `REDIS_URL` unset, settings point at servers that live under one private
folder (`ALLIANCE_HOME`, by default `.alliance` beside the code) and that exist only while some
process of ours uses them. `running()` is that use. Nothing here may import Django's settings:
the settings import this.
"""

from alliance.embedded.errors import EmbeddedServerError
from alliance.embedded.folders import home, secret_key, server_root
from alliance.embedded.postgres import database_settings
from alliance.embedded.sharing import drop_everything, ensure_running, mend, running
from alliance.embedded.valkey import redis_url

__all__ = [
    "EmbeddedServerError",
    "database_settings",
    "drop_everything",
    "ensure_running",
    "home",
    "mend",
    "redis_url",
    "running",
    "secret_key",
    "server_root",
]

"""PostgreSQL and the Redis-compatible Valkey, run from two Python wheels.

With `DATABASE_URL` and `REDIS_URL` unset, the settings point at servers in one private folder
(`ALLIANCE_HOME`, by default `.alliance` beside the code). They run only while a process of ours uses
them, by `running()`. Nothing here may import Django's settings, because the settings import this.
"""

from alliance.embedded.errors import EmbeddedServerError
from alliance.embedded.folders import home, secret_key, server_root
from alliance.embedded.postgres import database_settings, owner_settings
from alliance.embedded.sharing import drop_everything, ensure_running, find_dead, running
from alliance.embedded.valkey import redis_url

__all__ = [
    "EmbeddedServerError",
    "database_settings",
    "drop_everything",
    "ensure_running",
    "find_dead",
    "home",
    "owner_settings",
    "redis_url",
    "running",
    "secret_key",
    "server_root",
]

"""The product's settings with another database and Redis number, and with the URLs of the floors.

Nothing else differs, so the product is measured as shipped. Rate limits are counted as usual, but are raised
in the environment, or they would limit the measurement.
"""

import os
from urllib.parse import urlsplit

from alliance.settings import *  # noqa: F403
from alliance.settings import CACHES, DATABASES, REDIS_URL

DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
# Not the product's number 0: the worker of a running alliance must not receive our tasks.
REDIS_URL = urlsplit(REDIS_URL)._replace(path="/9").geturl()
CELERY_BROKER_URL = CACHES["default"]["LOCATION"] = REDIS_URL
CACHES["default"]["KEY_PREFIX"] = os.environ["BENCH_DATABASE"]
ROOT_URLCONF = "benchmarks.urls"
# For a benchmark of all that a log-in does beside hashing a password.
if "BENCH_PASSWORD_HASHER" in os.environ:
    PASSWORD_HASHERS = [os.environ["BENCH_PASSWORD_HASHER"]]

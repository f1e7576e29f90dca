"""The product's settings on a database and a Redis number of the benchmarks' own, with the floors' addresses.

Nothing else differs: what is measured is what is shipped. Limits of calls a minute are counted as ever
and are raised in the environment, or they would be what is measured.
"""

import os
from urllib.parse import urlsplit

from alliance.settings import *  # noqa: F403
from alliance.settings import CACHES, DATABASES, REDIS_URL

DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
# Another number than the product's 0: a running alliance's worker must not get our tasks.
REDIS_URL = urlsplit(REDIS_URL)._replace(path="/9").geturl()
CELERY_BROKER_URL = CACHES["default"]["LOCATION"] = REDIS_URL
CACHES["default"]["KEY_PREFIX"] = os.environ["BENCH_DATABASE"]
ROOT_URLCONF = "benchmarks.urls"

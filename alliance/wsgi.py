import os

from django.conf import settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import reset_queries

from alliance.database.postgresql.silence import WATCH

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")

application = get_wsgi_application()
# Django calls these around each request, for what we have not: queries are kept in development only, and our
# caches keep their connections.
request_finished.disconnect(close_caches)
if not settings.DEBUG:
    request_started.disconnect(reset_queries)
# It imports models, which the line above has loaded.
from alliance.call_log.writing import WRITER  # noqa: E402

# Calls of programs are noted, and written by a thread of this process.
WRITER.begin()
# The database ends a statement by itself at its own limit; this is for when it does not.
WATCH.limit = settings.WEB_STATEMENT_SECONDS + 2.0

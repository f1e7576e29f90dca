import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from alliance.database.postgresql.silence import WATCH

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")

application = get_wsgi_application()
# The database ends a statement by itself at its own limit; this is for when it does not.
WATCH.limit = settings.WEB_STATEMENT_SECONDS + 2.0

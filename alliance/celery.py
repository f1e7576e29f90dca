"""The Celery application of workers and beat."""

import os

from celery import Celery

from alliance.periodic_tasks import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")

app = Celery("alliance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# The registry itself, not a copy: apps add to it later, in AppConfig.ready.
app.conf.beat_schedule = SCHEDULE

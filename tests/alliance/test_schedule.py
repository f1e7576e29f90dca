"""What beat runs, as a program of its own. That every periodic task has an entry: see test_jobs.py."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule

from alliance.celery import app


def test_beat_as_a_program_of_its_own_finds_the_tasks_of_all_apps() -> None:
    """It imports the application before Django is set up, and so before any app is ready."""
    listing = "from alliance.celery import app; app.loader.init_worker(); print(*app.conf.beat_schedule)"
    process = subprocess.run(
        [sys.executable, "-c", listing], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert set(process.stdout.split()) == set(app.conf.beat_schedule)


@pytest.mark.django_db
@pytest.mark.parametrize("minute", ["-1", "99", "x", "", "*/0", "1-0", "9" * 60])
def test_page_says_what_is_wrong_with_a_time(minute: str, ops_client: Client) -> None:
    schedule = CrontabSchedule.objects.create(minute="5")
    page = reverse("admin:django_celery_beat_crontabschedule_change", args=[schedule.pk])
    data = {
        "minute": minute, "hour": "1", "day_of_month": "*", "month_of_year": "*", "day_of_week": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    assert ops_client.post(page, data).context_data["adminform"].errors["minute"]  # type: ignore[attr-defined]
    schedule.refresh_from_db()
    assert schedule.minute == "5"

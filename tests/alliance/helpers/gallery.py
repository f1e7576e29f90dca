"""A page with all components, for tests and for viewing. Not part of the product."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from alliance.portal.badges import FAMILIES
from alliance.portal.charts import Band, Chart, Series
from alliance.portal.forms import FilterForm

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAYS = [(NOW - timedelta(days=29 - day)).strftime("%m-%d") for day in range(30)]
LONG_NAME = "杭州西湖区远通国际供应链管理有限责任公司第一分公司"


class GalleryForm(forms.Form):
    name = forms.CharField(label="Company name", help_text="As on the business licence.")
    permit = forms.CharField(label="Express permit number", max_length=6)
    tier = forms.ChoiceField(label="Tier", choices=[("same_day", "Same day"), ("next_day", "Next day")])
    speed = forms.ChoiceField(label="Speed", choices=[("a", "Fast"), ("b", "Slow")], widget=forms.RadioSelect)
    agree = forms.BooleanField(label="I have read the rules")
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    document = forms.FileField(label="Express permit", help_text="PDF, PNG or JPEG, up to 10 MB.")


class GalleryFilterForm(FilterForm):
    lane = forms.ChoiceField(label="Lane", choices=[("", "All"), ("hgh", "From Hangzhou")], required=False)


def rate_chart(**options: Any) -> Chart:
    raw = [None if day == 11 else 0.86 + (day * 7 % 11) / 100 for day in range(30)]
    accountable = [None if rate is None else min(rate + 0.025, 1.0) for rate in raw]
    return Chart(
        id="trend",
        title="On-time rate, last 30 days",
        categories=DAYS,
        series=[Series("Raw", raw), Series("Accountable", accountable, dashed=True)],
        unit="percent",
        category_name="Day",
        counts=[80 + day * 3 for day in range(30)],
        provisional_from=23,
        band=Band(
            "95 % interval",
            [rate and rate - 0.04 for rate in raw],
            [rate and min(rate + 0.03, 1) for rate in raw],
        ),
        **options,
    )


def bar_chart() -> Chart:
    return Chart(
        id="volume",
        title="Parcels by day",
        categories=DAYS[-10:],
        series=[
            Series("Met", [120, 140, 133, 150, 90, 60, 155, 160, 149, 151], "petrol"),
            Series("Late", [12, 9, 20, 11, 4, 2, 30, 12, 8, 7], "orange"),
            Series("Overdue", [1, 0, 3, 2, 0, 0, 6, 5, 9, 12], "red"),
        ],
        kind="stacked",
        category_name="Day",
    )


def timeline_entries() -> list[dict[str, Any]]:
    return [
        {"title": "Delivered", "at": NOW, "icon": "circle-check", "colour": "green", "place": "Chengdu 成都"},
        {
            "title": "Delivery attempt failed",
            "at": NOW - timedelta(hours=3),
            "icon": "door-off",
            "colour": "orange",
            "text": "Nobody at home",
            "detail": "Received 4 minutes later",
        },
        {
            "title": "Arrived",
            "at": NOW - timedelta(hours=9),
            "icon": "building-warehouse",
            "struck": True,
            "detail": "Withdrawn by a correction",
        },
        {
            "title": "Picked up",
            "when": "19 Nov, 18:02 (Hangzhou)",
            "icon": "package-export",
            "colour": "cyan",
        },
    ]


def context() -> dict[str, Any]:
    return {
        "families": {name: list(badges) for name, badges in FAMILIES.items()},
        "trend": rate_chart(),
        "volume": bar_chart(),
        "empty_chart": Chart("nothing", "Complaints", [], []),
        "entries": timeline_entries(),
        "steps": [
            {"label": "Company", "state": "done", "url": "/"},
            {"label": "Permit and contact", "state": "error", "url": "/"},
            {"label": "Service cities", "state": "current"},
            {"label": "Documents", "state": "todo"},
            {"label": "Submit", "state": "todo"},
        ],
        "rows": [
            ("CA0123456789ABCDX", "delivered", "met", "Hangzhou → Chengdu", 1280),
            ("CA0123456789ABCDY", "attempt_failed", "late", "Shanghai → Xishuangbanna", 990),
            ("CA0123456789ABCDZ", "out_for_delivery", "overdue", LONG_NAME, 12500),
        ],
        "long_name": LONG_NAME,
    }


def gallery(request: HttpRequest) -> HttpResponse:
    form = GalleryForm(request.POST or None, request.FILES or None)
    both = {"form": form, "filters": GalleryFilterForm({"lane": "moon"})}
    return render(request, "gallery.html", {**context(), **both, "job_url": "/gallery/job/"})


def job(request: HttpRequest) -> HttpResponse:
    """Respond like a job that is finished at the second poll."""
    progress = int(request.session.get("done", 40)) + 30
    request.session["done"] = progress
    return render(request, "gallery_job.html", {"done": min(progress, 100), "job_url": "/gallery/job/"})


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


urlpatterns = [
    path("gallery/", gallery, name="gallery"),
    path("gallery/job/", job),
    path("gallery/broken/", broken),
    path("", include("alliance.urls")),
]
handler400 = "alliance.portal.errors.bad_request"
handler403 = "alliance.portal.errors.permission_denied"
handler404 = "alliance.portal.errors.page_not_found"
handler500 = "alliance.portal.errors.server_error"

"""The progress bar that pages poll while the demo alliance is being loaded."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def demo_progress_show(request: HttpRequest) -> HttpResponse:
    """Return the current bar, or an empty element that removes it."""
    return render(request, "components/demo_progress.html", {"is_update": True})


# Pages poll every two seconds: the result is the same for all users, so no actor is looked up.
demo_progress_show.scoped_by_itself = True  # type: ignore[attr-defined]

"""What pages ask for while the demo alliance is being loaded."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def demo_progress_show(request: HttpRequest) -> HttpResponse:
    """Answer with the bar as it is now, or with what takes it away."""
    return render(request, "components/demo_progress.html", {"is_update": True})


# Pages ask every other second: who looks makes no difference, and need not be looked up.
demo_progress_show.scoped_by_itself = True  # type: ignore[attr-defined]

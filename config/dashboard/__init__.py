"""What the first page of the back-office says: what a day brought, what waits for whom, and whether all is well."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from config.dashboard import audit, figures, health, queues

__all__ = ["dashboard"]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index what this person may see; what they may not is None, and not shown."""
    at = timezone.now()
    context["title"] = _("Overview")
    context["figures"] = figures.seen_by(request, at=at)
    context["queues"] = waiting = queues.seen_by(request)
    context["nothing_waits"] = not any(queue.number for queue in waiting or ())
    context["audit"] = audit.seen_by(request)
    context["gateways"] = health.gateways_seen_by(request, at=at)
    context["jobs"] = health.jobs_seen_by(request, at=at)
    return context

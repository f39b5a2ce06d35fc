"""Second-level channels: the app tells their ids, people know their titles."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from english_app.admin.base import OfClientAdmin
from english_app.models import Agent


@admin.register(Agent)
class AgentAdmin(OfClientAdmin):
    subject = "english_agent"
    list_display = ("id", "title", "client", "to_orders", "created_at")
    list_display_links = ("id", "title")
    search_fields = ("title",)
    search_help_text = _("Exactly the title")
    readonly_fields = ("created_at",)
    fieldsets = ((None, {"fields": ("client", "title", "created_at")}),)

    @admin.display(description=_("English orders"))
    def to_orders(self, agent: Agent) -> SafeString:
        path = reverse("admin:english_app_englishorder_changelist")
        return format_html(
            '<a href="{}?agent__id__exact={}" class="text-link">{}</a>', path, agent.pk, _("To its orders")
        )

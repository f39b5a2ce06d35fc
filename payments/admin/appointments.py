"""What was booked, when, and whether it is paid."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from payments.admin import masking
from payments.admin.base import DayFilter, ReadOnlyAdmin
from payments.admin.sight import client_filter
from payments.models import Appointment

COLOURS = {"confirmed": "success", "open": "warning"}


@admin.register(Appointment)
class AppointmentAdmin(ReadOnlyAdmin):
    client_path = "order__client"
    masked = {"appointment_for": masking.name}
    list_display = ("order", "appointment_time", "appointment_for", "shown_state", "confirmed_at")
    list_filter = (("appointment_time", DayFilter), client_filter("order__client"))
    days = "appointment_time"
    list_select_related = ("order",)
    search_fields = ("order",)
    search_help_text = _("Number of the order, or exactly for whom")
    fieldsets = ((None, {"fields": ("order", ("appointment_time", "appointment_for"), "confirmed_at")}),)

    def find(self, term: str) -> Iterable[QuerySet[Appointment]]:
        appointments = Appointment.objects.all()
        yield appointments.filter(order__number=term)
        yield appointments.filter(appointment_for=term)

    @display(description=_("state"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_state(self, appointment: Appointment) -> tuple[str, str | Promise]:
        return ("confirmed", _("confirmed")) if appointment.confirmed_at else ("open", _("not paid"))

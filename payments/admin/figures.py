"""What each day brought: the numbers behind the first page. Added up by a job, so nobody writes here."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter

from payments.admin.base import DayFilter, ReadOnlyAdmin, yuan
from payments.admin.labels import family_words
from payments.admin.orders import FamilyFilter
from payments.admin.sight import ClientFilter
from payments.models import DayFigure


@admin.register(DayFigure)
class DayFigureAdmin(ReadOnlyAdmin):
    client_path = "client"
    list_display = (
        "day", "client", "shown_family", "tender", "orders_made", "orders_paid",
        yuan("received_fen", _("money received")), yuan("released_fen", _("given back on closing")),
        yuan("refunded_fen", _("money refunded")), "computed_at",
    )  # fmt: skip
    list_filter = (("day", DayFilter), FamilyFilter, ("tender", ChoicesRadioFilter), ClientFilter)
    list_select_related = ("client",)
    ordering = ("-day", "-id")
    readonly_fields = (
        "shown_family",
        yuan("received_fen", _("money received")), yuan("released_fen", _("given back on closing")),
        yuan("refunded_fen", _("money refunded")),
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("day", "client"), ("shown_family", "tender"), "computed_at")}),
        (_("Orders"), {"fields": (("orders_made", "orders_paid"),)}),
        (
            _("Money"),
            {
                "fields": (
                    (readonly_fields[1], "payments"), (readonly_fields[2], "releases"), (readonly_fields[3], "refunds"),
                )
            },
        ),
    )  # fmt: skip

    @admin.display(description=_("family"))
    def shown_family(self, figure: DayFigure) -> str:
        return str(family_words(figure.family))

from django.db import models
from django.utils.translation import gettext_lazy as _


class Appointment(models.Model):
    """What an order of kind `appointment` books: a time, and for whom or what. Confirmed when it is paid."""

    order = models.OneToOneField("payments.Order", models.PROTECT, related_name="appointment", verbose_name=_("order"))
    appointment_time = models.DateTimeField(_("appointment time"))
    appointment_for = models.CharField(_("appointment for"), max_length=128)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ["-appointment_time"]
        indexes = [
            models.Index(name="appointment_by_time", fields=["appointment_time"]),
            models.Index(name="appointment_by_subject", fields=["appointment_for"]),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"  # titles show it, also to who may not know for whom it is

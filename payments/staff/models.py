from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class StaffMember(models.Model):
    """Whose orders a person of the staff may see. Who has no such row sees nobody's; a superuser sees everybody's."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="staff_member", verbose_name=_("user")
    )
    sees_every_client = models.BooleanField(
        _("sees every client"),
        default=False,
        db_default=False,
        help_text=_("Also what belongs to no client: gateways' bills, audit rows, system accounts."),
    )
    clients = models.ManyToManyField(
        "payments.ApiClient", blank=True, related_name="+", verbose_name=_("sees these clients")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("what they see")
        verbose_name_plural = _("what they see")

    def __str__(self) -> str:
        return str(self.user)

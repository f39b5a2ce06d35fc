"""Who works in the back-office, and where they are logged in."""

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
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


class StaffSession(AbstractBaseSession):
    """
    A browser's session. One in which somebody is logged in says whose it is and how it was opened.

    The columns beside Django's own repeat what stands in `session_data`, for the list and for ending it: only
    `payments.staff.sessions` writes them.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    address = models.GenericIPAddressField(_("address"), null=True)
    agent = models.CharField(_("browser"), max_length=200, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    seen_at = models.DateTimeField(_("last seen at"), null=True)

    class Meta(AbstractBaseSession.Meta):
        verbose_name = _("session")  # type: ignore[assignment]
        verbose_name_plural = _("sessions")  # type: ignore[assignment]

    @classmethod
    def get_session_store_class(cls):  # type: ignore[no-untyped-def]  # noqa: ANN206  Django's own has no types
        from payments.staff.sessions import SessionStore  # noqa: PLC0415

        return SessionStore

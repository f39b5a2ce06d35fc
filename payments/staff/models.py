"""Who works in the back-office, what they prove it with, and where they are logged in."""

import time
import uuid

import structlog
from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from payments import secrets

TOLERANCE = 1  # steps that a phone's clock may be off

log = structlog.get_logger(__name__)


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


class Authenticator(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp has no types
    """
    A person's app for one-time codes. It is django-otp's TOTP device, whose table has the key for all to read, with the
    key sealed: who gets hold of the table alone computes no code.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sealed_key = models.TextField(editable=False)
    last_t = models.BigIntegerField(default=-1, editable=False)  # the step of the last code taken
    drift = models.SmallIntegerField(default=0, editable=False)  # steps that the phone's clock was off then

    class Meta:
        default_permissions = ()  # no page shows or changes one

    @property
    def _key_context(self) -> bytes:
        return secrets.context(model="authenticator", field="key", uid=self.uid)

    def key(self) -> str:
        """
        Return the key, hexadecimal.

        :raises CannotUnseal: if it was sealed for another row, or by a key that is no longer on the ring
        """
        return secrets.unseal(sealed=self.sealed_key, context=self._key_context)

    def set_key(self, key: str) -> None:
        self.sealed_key = secrets.seal(text=key, context=self._key_context)

    def verify_token(self, token: str) -> bool:
        """Use the code up, under the row's lock. One that is not taken slows the next try down."""
        if not self.verify_is_allowed()[0]:
            return False
        if not self._step_on(token):
            self.throttle_increment()
            return False
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> int:
        """Seconds to wait after the first failure; each further one doubles them."""
        return 1

    def _step_on(self, token: str) -> bool:
        """Note the step of `token` and return True, if the app shows it about now and none as late was taken before."""
        try:
            totp = TOTP(bytes.fromhex(self.key()), drift=self.drift)
        except secrets.CannotUnseal:
            # Whoever logs in is told no more than with a wrong code; whoever runs the system finds it here.
            log.exception("authenticator_key_not_readable", device=self.pk)
            return False
        totp.time = time.time()
        if not (token.isdecimal() and totp.verify(int(token), TOLERANCE, self.last_t + 1)):
            return False
        self.last_t, self.drift = totp.t(), totp.drift
        return True


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

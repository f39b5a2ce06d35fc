"""The one way to prove who one is: the password and, with a device, a code of it."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from payments.staff import devices


class StaffBackend(ModelBackend):
    """Stands behind axes' backend, which lets nobody through who is locked out."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        token: str = "",
        **kwargs: Any,
    ) -> User | None:
        """Return the person, `otp_device` being what they proved it with, or None: nobody is told what was wrong."""
        user: Any = super().authenticate(request, username=username, password=password)
        if user is None or not user.is_staff:
            return None
        if devices.has_device(user_id=user.pk):
            user.otp_device = devices.match(user_id=user.pk, token=token)
            if user.otp_device is None:
                return None
        found: User = user
        return found

"""
The second factor: an app that counts one-time codes (TOTP), and ten recovery codes for the day it is lost.

A code is good once: the device keeps the last step it took, a recovery code is deleted. The app's key is stored sealed,
recovery codes as their HMAC. Who tries codes is slowed down by the device (django-otp) and locked out with their
account (`payments.staff.lock_out`).
"""

import base64
import re
import secrets
import time
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from payments import audit
from payments.errors import OnetillError
from payments.staff import diary, sessions
from payments.staff.models import TOLERANCE, Authenticator
from payments.transactions import transaction, transaction_required

CODE = re.compile(r"[0-9]{6}")
RECOVERY_CODE = re.compile(r"[0-9]{12}")
SEPARATORS = re.compile(r"[\s-]+")
RECOVERY_CODES = 10
RECOVERY_LENGTH = 12  # digits, which the keyboard has that a phone shows for one-time codes
KEY_BYTES = 20
KEPT_BYTES = 10  # 16 letters of base 32, as long as django-otp's column
GROUP = 4


class OwnDevice(OnetillError):
    """Who lost their own asks a colleague: a stolen session must not get rid of the second factor."""

    status = 403
    message = _("Your own device is reset by a colleague, or removed on your security page.")


class CodeWrong(OnetillError):
    message = _("This is not the code that the app shows now.")


class NoDevice(OnetillError):
    message = _("This person has set up no one-time codes.")


def has_device(*, user_id: int) -> bool:
    return bool(Authenticator.objects.filter(user_id=user_id, confirmed=True).exists())


def recovery_codes_left(*, user_id: int) -> int:
    return int(StaticToken.objects.filter(device__user_id=user_id).count())


def match(*, user_id: int, token: str) -> Device | None:
    """
    Use up the code, and return the device that it is of.

    Each device is asked for what it may have given alone: what has no code's shape slows nobody's next try down.
    """
    token = SEPARATORS.sub("", token)
    with transaction():
        if CODE.fullmatch(token):
            devices = Authenticator.objects.filter(user_id=user_id, confirmed=True)
        elif RECOVERY_CODE.fullmatch(token):
            devices, token = StaticDevice.objects.filter(user_id=user_id, confirmed=True), _kept(token)
        else:
            return None
        device = devices.select_for_update().first()
        return device if device is not None and device.verify_token(token) else None


def new_key() -> str:
    """Return a key for an app, hexadecimal."""
    return secrets.token_hex(KEY_BYTES)


def is_code_of(*, key: str, token: str) -> bool:
    """Whether a device with that key shows `token` just now."""
    return _read(key, token) is not None


def address_of_key(*, user: User, key: str) -> str:
    """Return what the QR code says, as apps read it: the issuer stands before the name and once more by itself."""
    issuer = settings.OTP_TOTP_ISSUER
    fields = {"secret": _in_base_32(key), "algorithm": "SHA1", "digits": 6, "period": 30, "issuer": issuer}
    label = quote(f"{issuer}:{user.get_username()}")
    return f"otpauth://totp/{label}?{urlencode(fields, quote_via=quote)}"


def key_in_text(key: str) -> str:
    """Return the key for who types it: base 32 in fours."""
    return _in_groups(_in_base_32(key).rstrip("="))


def enrol(*, user: User, key: str, token: str, session_key: str | None) -> tuple[Authenticator, list[str]]:
    """
    Make the app with that key the person's device, in place of any before, and return it with new recovery codes.

    Whatever else they are logged in with ends: it has not shown the device.

    :raises CodeWrong: if `token` is not what that app shows now
    """
    with transaction():
        _lock(user)
        totp = _read(key, token)
        if totp is None:
            raise CodeWrong
        replaced = _forget(user)
        device = Authenticator(user=user, name="app", last_t=totp.t(), drift=totp.drift)
        device.set_key(key)
        device.save(force_insert=True)
        codes = _new_codes(user)
        ended = sessions.end_all(user_id=user.pk, but=session_key)
        diary.record(user, "device_enrol", replaced=replaced, sessions_ended=ended)
        return device, codes


def remove(*, user: User, session_key: str | None) -> None:
    """Take the person's own device and recovery codes away."""
    with transaction():
        _lock(user)
        if not _forget(user):
            raise NoDevice
        ended = sessions.end_all(user_id=user.pk, but=session_key)
        diary.record(user, "device_remove", sessions_ended=ended)


def renew_codes(*, user: User) -> list[str]:
    """Return ten new recovery codes; the ones before open nothing any more."""
    with transaction():
        _lock(user)
        if not has_device(user_id=user.pk):
            raise NoDevice
        codes = _new_codes(user)
        diary.record(user, "codes_renew")
        return codes


def reset(*, user: User, actor: str, reason: str) -> None:
    """Take a colleague's lost device away and end their sessions: they log in by password and enrol anew."""
    if actor == audit.person(username=user.get_username(), pk=user.pk):
        raise OwnDevice
    with transaction():
        _lock(user)
        if not _forget(user):
            raise NoDevice
        ended = sessions.end_all(user_id=user.pk, but=None)
        audit.record(
            actor=actor, action="user.device_reset", subject=f"user:{user.pk}",
            username=user.get_username(), reason=reason, sessions_ended=ended,
        )  # fmt: skip


def _lock(user: User) -> None:
    User.objects.select_for_update().get(pk=user.pk)


@transaction_required
def _forget(user: User) -> bool:
    StaticDevice.objects.filter(user=user).delete()
    return bool(Authenticator.objects.filter(user=user).delete()[0])


@transaction_required
def _new_codes(user: User) -> list[str]:
    device, _created = StaticDevice.objects.get_or_create(user=user, name="recovery")
    device.token_set.all().delete()
    codes = [f"{secrets.randbelow(10**RECOVERY_LENGTH):0{RECOVERY_LENGTH}}" for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=_kept(code)) for code in codes])
    return [_in_groups(code) for code in codes]


def _in_base_32(key: str) -> str:
    return base64.b32encode(bytes.fromhex(key)).decode()


def _in_groups(text: str) -> str:
    return " ".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def _read(key: str, token: str) -> TOTP | None:
    token = SEPARATORS.sub("", token)
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time()
    return totp if CODE.fullmatch(token) and totp.verify(int(token), TOLERANCE) else None


def _kept(code: str) -> str:
    """Return what is stored of a recovery code: it is of no use to who reads the table."""
    digest = salted_hmac("payments.staff.devices", code, algorithm="sha256").digest()
    return base64.b32encode(digest[:KEPT_BYTES]).decode().lower()

"""People of the staff, their phones, and the ways they come in."""

import datetime
import time

import time_machine
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django_otp.oath import TOTP

from payments.models import AuditRow
from payments.staff import devices
from payments.staff.sessions import SessionStore
from tests.world import make_staff

PASSWORD = "a long enough password"
MORNING = datetime.datetime(2026, 6, 15, 1, 0, tzinfo=datetime.UTC)  # nine o'clock in Shanghai
KEY = "3132333435363738393031323334353637383930"


def code(key=KEY, steps=0):
    """What an app with that key shows now, or so many steps from now."""
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def enrol(user, key=KEY):
    """Set up the app of `user` a minute ago, so that what it shows now has not been used, and return the codes."""
    with time_machine.travel(datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(minutes=1), tick=False):
        _device, codes = devices.enrol(user=user, key=key, token=code(key), session_key=None)
    return codes


def lin(*permissions, **fields):
    return make_staff("lin", *permissions, **fields)


def log_in(username="lin", password=PASSWORD, token="", *, client=None, **meta):
    """Return the browser and the answer it got."""
    client = client or Client(headers={"accept-language": "en"})
    answer = client.post("/admin/login/", {"username": username, "password": password, "code": token}, **meta)
    return client, answer


def is_in(client):
    """Whether the browser holds the key of a session in which somebody is logged in."""
    cookie = client.cookies.get("sessionid")
    return cookie is not None and SESSION_KEY in SessionStore(cookie.value)


def deeds(*actions):
    """The audit rows of log-ins and the like, oldest first: actor and action."""
    rows = AuditRow.objects.filter(action__startswith="user.").order_by("id")
    return [(row.actor, row.action) for row in rows if not actions or row.action in actions]

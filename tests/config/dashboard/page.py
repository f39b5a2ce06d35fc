"""The first page as somebody sees it, and what it shows."""

import datetime

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.days import day_of
from payments.models import DayFigure
from tests.payments.admin.test_pages import text
from tests.world import make_staff


def answer(*permissions, name="lin", boss=False, clients=None):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(make_staff(name, *permissions, boss=boss, clients=clients))
    response = client.get(reverse("admin:index"))
    assert response.status_code == 200
    return response


def index(*permissions, **who):
    return " ".join(text(answer(*permissions, **who)).split())


def figure(client, *, days=0, family="checkout", tender="", at=None, **sums):
    at = at or timezone.now()
    day = day_of(at) - datetime.timedelta(days=days)
    return DayFigure.objects.create(day=day, client=client, family=family, tender=tender, computed_at=at, **sums)


def received(client, fen, *, tender="wechat", **fields):
    return figure(client, tender=tender, received_fen=fen, payments=1, **fields)

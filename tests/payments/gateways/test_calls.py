"""Calls to gateways are counted by how they ended, and a cache that is down costs them nothing."""

import datetime
import time
from collections import Counter

import pytest
from django.core.cache import cache
from django.utils import timezone

from payments.gateways import calls, memory, registry
from payments.gateways.base import (
    Acknowledgement,
    BillNotReady,
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    PaymentRequest,
    RefundRequest,
)
from payments.gateways.calls import End
from payments.gateways.memory import Fault
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    memory.forget_everything()
    cache.clear()
    return make_memory_account()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(calls, "_resumes_at", 0.0)


@pytest.fixture
def redis_down(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}


def create(account, number="N_1"):
    later = timezone.now() + datetime.timedelta(hours=1)
    return registry.adapter(account).create_payment(
        PaymentRequest(
            number=number, mode=Mode.PAGE, amount_fen=100, subject="title", expires_at=later, notify_url="https://a/"
        )
    )


def hour(account, at=None):
    return calls.recent([account.pk], at=at or timezone.now())[account.pk].hour


def counted(**ends):
    return Counter({End(name): number for name, number in ends.items()})


def test_every_verb_that_goes_out_is_counted(account):
    adapter = registry.adapter(account)
    create(account)
    adapter.query_payment("N_1")
    adapter.close_payment("N_1")
    create(account, "N_2")
    memory.book("memory-app").pay("N_2")
    adapter.refund(RefundRequest(number="N_2R1", charge_number="N_2", amount_fen=100, total_fen=100))
    adapter.query_refund("N_2R1", charge_number="N_2")
    adapter.download_bill(datetime.date(2018, 6, 15))

    assert hour(account) == counted(answered=7)


def test_what_goes_out_to_nobody_is_not_counted(account):
    create(account)
    raw = memory.book("memory-app").notification("N_1")
    before = hour(account)

    registry.adapter(account).parse_notification(raw)
    registry.adapter(account).acknowledgement(Acknowledgement.SUCCESS)

    assert hour(account) == before == counted(answered=1)


@pytest.mark.parametrize(
    ("fault", "error", "end"),
    [
        (Fault.LOST_REQUEST, GatewayUnavailable, "unknown"),
        (Fault.LOST_RESPONSE, GatewayUnavailable, "unknown"),
        (Fault.REFUSED, GatewayRefused, "refused"),
        (Fault.REFUSED_FOR_NOW, GatewayRefused, "refused"),
    ],
)
def test_a_call_that_fails_is_counted_by_how_and_fails_as_before(account, fault, error, end):
    memory.book("memory-app").script(fault)

    with pytest.raises(error):
        create(account)

    assert hour(account) == counted(**{end: 1})


def test_an_answer_that_says_nothing_definite_is_unknown(account):
    create(account)
    memory.book("memory-app").script(Fault.UNCLEAR)

    registry.adapter(account).query_payment("N_1")

    assert hour(account) == counted(answered=1, unknown=1)


def test_a_bill_that_is_not_made_yet_is_an_answer(account):
    memory.book("memory-app").bill_trouble = BillNotReady()

    with pytest.raises(BillNotReady):
        registry.adapter(account).download_bill(datetime.date(2018, 6, 15))

    assert hour(account) == counted(answered=1)


def test_the_last_answer_is_remembered_and_silence_is_none(account):
    before = int(time.time())
    create(account)
    answered_at = calls.recent([account.pk], at=timezone.now())[account.pk].answered_at
    memory.book("memory-app").script(Fault.LOST_REQUEST)
    with pytest.raises(GatewayUnavailable):
        create(account, "N_2")

    assert before <= answered_at.timestamp() <= time.time()
    assert calls.recent([account.pk], at=timezone.now())[account.pk].answered_at == answered_at


def test_accounts_are_counted_apart(account):
    other = make_memory_account(app_id="another-app")
    create(other)

    assert (hour(account), hour(other)) == (counted(), counted(answered=1))


def test_hours_are_left_behind_one_by_one(account):
    create(account)
    now = timezone.now()

    def seen(hours):
        found = calls.recent([account.pk], at=now + datetime.timedelta(hours=hours))[account.pk]
        return found.hour[End.ANSWERED], found.day[End.ANSWERED]

    assert [seen(0), seen(1), seen(2), seen(23), seen(24)] == [(1, 1), (1, 1), (0, 1), (0, 1), (0, 0)]


def test_a_count_is_forgotten_after_two_days(account):
    create(account)

    (key,) = cache._cache.get_client().keys("*gateway_calls*")
    assert 47 * 3_600 < cache._cache.get_client().ttl(key) <= 48 * 3_600


def test_without_a_cache_calls_go_out_as_ever_and_nothing_is_told(account, redis_down):
    assert create(account).payload
    assert calls.recent([account.pk], at=timezone.now()) is None


def test_a_cache_that_is_down_is_left_alone_for_a_while(account, redis_down, monkeypatch):
    tried = []
    monkeypatch.setattr(type(cache), "__getattr__", _counting(tried, type(cache).__getattr__))

    for n in range(5):
        create(account, f"N_{n}")

    assert tried.count("incr") == 1


def _counting(tried, getattribute):
    def counting(self, name):
        tried.append(name)
        return getattribute(self, name)

    return counting

"""A shop that is told of its orders, and the server it listens with."""

import datetime
import itertools
import time

from django.utils import timezone

from payments.models import Order, OutboxEvent, WebhookEndpoint
from payments.outbox import sending
from payments.outbox.sender import Result, Sender
from tests.simulator.receiver import Receiver
from tests.world import make_client, make_customer, place_order

_numbers = itertools.count(1)


class Listener(Receiver):
    """Keeps what came as (headers in lower case, body); `heard` is the ids of the events, in order."""

    def read(self, headers, body):
        return {name.lower(): value for name, value in headers.items()}, body

    @property
    def heard(self):
        return [headers["webhook-id"] for headers, _body in self.received]


class PostOffice:
    """A sender without a network. `answer(url)` says what comes of a post; `posts` is (time, URL), in order."""

    def __init__(self, answer=lambda url: Result(status=200)):
        self._answer, self.posts = answer, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def post(self, url, *, headers, body):
        self.posts.append((time.monotonic(), url))
        return self._answer(url)

    def times(self, host):
        return [at for at, url in self.posts if host in url]


def make_shop(*, name="shop", **fields):
    client = make_client(name=name, **fields)
    make_customer(client=client, points_fen=10_000_000)
    return client


def listening(client, url, **fields):
    return WebhookEndpoint.objects.create(client=client, url=url, **fields)


def known(client, url, **fields):
    """Return an endpoint that has taken something before."""
    return listening(client, url, last_success_at=timezone.now(), **fields)


def paid_order(client, *, notify_url=""):
    """Place an order that points pay at once, and return it. `notify_url` as if it had come with the order."""
    order = place_order(client=client, number=f"W{next(_numbers)}")
    if notify_url:
        Order.objects.filter(pk=order.pk).update(notify_url=notify_url)
    return Order.objects.get(pk=order.pk)


def event_of(order):
    return OutboxEvent.objects.get(order=order)


def send(*, at=None, **sender):
    """Send what is due, now or `at`."""
    at = at or timezone.now()
    return sending.send_due(now=lambda: at, sender=Sender(**sender) if sender else None)


def days(count):
    return datetime.timedelta(days=count)

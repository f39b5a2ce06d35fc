"""How the tests have staff do a deed: on its page, with what the form carries."""

import re

from django.test import Client
from django.urls import reverse

from payments.models import ApiClient
from tests.payments.admin.test_decisions import browser
from tests.world import make_client, make_staff


def page(row, name):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])


def carried(response):
    """What the form that is shown carries without showing it."""
    return dict(re.findall(r'<input type="hidden" name="(as_seen|number)" value="([^"]*)"', response.content.decode()))


def opened(client, row, name, **entered):
    """What a person would send, who has opened the form and filled it in."""
    return carried(client.get(page(row, name))) | {"reason": "the customer calls"} | entered


def do(client, row, name, **entered):
    return client.post(page(row, name), opened(client, row, name, **entered), follow=True)


def said(response):
    """The sentences that came of it."""
    return [re.sub(r"<[^>]+>", " ", str(message)) for message in response.context["messages"]]


def complaints(response):
    return {name: list(texts) for name, texts in response.context["form"].errors.items()}


def foreigner(*permissions):
    """Somebody with these permissions, who sees another client's rows alone."""
    other = ApiClient.objects.filter(name="other").first() or make_client(name="other")
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(make_staff("foreigner", *permissions, clients=[other]))
    return client


def is_kept_to(row, name, *, view, permission):
    """Assert that the page is for whoever may view such rows and has the permission, and no row of another client's."""
    assert browser("looker", view).get(page(row, name)).status_code == 403
    assert browser("blind", permission).get(page(row, name)).status_code == 403
    stranger = foreigner(view, permission)
    assert stranger.get(page(row, name)).status_code == 404
    assert stranger.post(page(row, name), {"reason": "x", "as_seen": "-"}).status_code == 404

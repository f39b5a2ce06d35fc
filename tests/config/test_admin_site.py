import json
import re

import pytest
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from django.utils import translation

from config import admin_site
from config.unfold_words import WORDS
from tests.world import make_staff

pytestmark = pytest.mark.django_db


def menu(user):
    request = RequestFactory().get("/admin/")
    request.user = user
    return {str(group["title"]): [str(item["link"]) for item in group["items"]] for group in admin_site.menu(request)}


def test_the_boss_sees_everything():
    links = menu(get_user_model().objects.create_superuser(username="boss"))

    assert sum(map(len, links.values())) == sum(map(len, admin_site.MENU.values()))


@pytest.mark.parametrize(
    ("right", "seen"),
    [
        ("view_order", {"Orders": ["/admin/payments/order/"]}),
        ("view_partnerorder", {"Partner programme": ["/admin/partner_orders/partnerorder/"]}),
        ("view_englishorder", {"English app": ["/admin/english_app/englishorder/"]}),
    ],
)
def test_others_see_what_they_may(right, seen):
    user = make_staff("lin", right)

    with translation.override("en"):
        assert menu(user) == seen


@pytest.mark.parametrize("word", WORDS)
def test_unfold_speaks_chinese(word):
    with translation.override("zh-hans"):
        assert translation.gettext(word) != word


def test_the_selector_of_two_lists_speaks_chinese(client):
    client.force_login(get_user_model().objects.create_superuser(username="boss"))

    answer = client.get("/admin/jsi18n/", headers={"Accept-Language": "zh-hans"})

    catalogue = json.loads(re.search(r"newcatalog = (\{.*?\n  \});", answer.content.decode(), re.DOTALL)[1])
    for english in ("Choose all %s", "Remove selected %s", "(click to clear)", "Available %s"):
        assert catalogue[english] != english

"""Test the connection: the gateway is asked, staff read what is wrong, and who asked stays on record."""

import html

import pytest
from django.urls import reverse

from payments.models import AuditRow, GatewayAccount
from tests.payments.api.accounts import connect_wechat_v2
from tests.threads import all_lines_engaged
from tests.world import make_memory_account, make_staff

pytestmark = pytest.mark.django_db


def page(account):
    return reverse("admin:payments_gatewayaccount_examine", args=[account.pk])


def text(response):
    return html.unescape(response.content.decode())


def test_an_account_that_works_is_told_so(boss, simulator):
    account = connect_wechat_v2(simulator, notify_base="https://pay.example.com")

    shown = text(boss.post(page(account)))

    assert "WeChat Pay answers under its signature: app id, merchant and key are right." in shown
    assert "The account works; something wants to be looked at." in shown  # no certificate for refunds
    row = AuditRow.objects.get()
    assert (row.actor, row.action, row.subject) == (
        "user:boss",
        "gateway_account.examine",
        f"gateway_account:{account.pk}",
    )
    assert "ok: This server's clock agrees with the gateway's." in row.detail["found"]


def test_what_is_wrong_is_told_with_the_gateway_s_words(boss, simulator):
    account = connect_wechat_v2(simulator)
    account.set_credentials({"api_key": "x" * 32})
    account.save()

    shown = text(boss.post(page(account)))

    assert "The account does not work like this." in shown
    assert "The gateway refuses our signature" in shown
    assert "签名错误" in shown
    assert "x" * 32 not in shown


def test_the_page_follows_the_reader_s_language(boss):
    shown = text(boss.post(page(make_memory_account()), headers={"Accept-Language": "zh-hans"}))

    assert 'lang="zh-hans"' in shown


def test_to_look_asks_nobody(boss, simulator):
    account = connect_wechat_v2(simulator)
    account.base_url = "http://127.0.0.1:9"
    account.save()

    response = boss.get(page(account))

    assert response.status_code == 200
    assert "Nobody answers" not in text(response)
    assert not AuditRow.objects.exists()


def test_the_account_s_page_leads_there(boss):
    account = make_memory_account()

    shown = boss.get(reverse("admin:payments_gatewayaccount_change", args=[account.pk])).content.decode()

    assert f'action="{page(account)}"' in shown


def test_who_may_only_look_at_accounts_tests_none(client):
    user = make_staff("looks", "view_gatewayaccount")
    client.force_login(user)
    account = make_memory_account()

    assert client.post(page(account)).status_code == 403
    assert client.get(page(account)).status_code == 403
    assert b"examine" not in client.get(
        reverse("admin:payments_gatewayaccount_change", args=[account.pk])
    ).content  # fmt: skip
    assert not AuditRow.objects.exists()


def test_a_stranger_is_sent_to_the_log_in(client):
    response = client.post(page(make_memory_account()))

    assert (response.status_code, response["Location"].startswith("/admin/login/")) == (302, True)


def test_an_account_that_is_gone_is_404(boss):
    assert boss.post(page(GatewayAccount(pk=9))).status_code == 404


def test_while_all_places_are_taken_nobody_is_asked(boss, simulator):
    account = connect_wechat_v2(simulator)

    with all_lines_engaged():
        shown = text(boss.post(page(account)))

    assert "Too many payments are being started." in shown
    assert not AuditRow.objects.exists()

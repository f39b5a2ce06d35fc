"""What staff keep of a client."""

import pytest
from django.urls import reverse

from payments.models import AuditRow
from tests.payments.admin.forms import carried
from tests.payments.admin.test_pages import text
from tests.world import make_client

pytestmark = pytest.mark.django_db

FIELDS = {
    "is_active": "on", "families": ["partner_orders"], "sign_type": "MD5", "allowed_networks": "", "unsigned_from": "",
    "points_policy": "points_first", "order_ttl_seconds": "1800", "redirect_hosts": "", "refund_policy": "cash_first",
    "approval_above_fen": "", "late_money_policy": "refund",
}  # fmt: skip


def save(boss, client, **changes):
    return boss.post(reverse("admin:payments_apiclient_change", args=[client.pk]), {**FIELDS, **changes})


def test_a_client_becomes_the_default_one_of_a_family(boss):
    app = make_client(name="app", families=["partner_orders"])

    answer = save(boss, app, default_of="partner_orders")

    app.refresh_from_db()
    assert (answer.status_code, app.default_of) == (302, "partner_orders")
    assert AuditRow.objects.get().detail["changes"]["default_of"] == ["", "partner_orders"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"default_of": "partner_orders"}, "The family has a default client already."),
        ({"default_of": "checkout"}, "The default client of a family must serve it."),
        ({"default_of": "unknown"}, "Select a valid choice"),
    ],
)
def test_a_second_or_an_unfit_default_client_is_refused(boss, changes, sentence):
    make_client(name="app", families=["partner_orders"], default_of="partner_orders")
    second = make_client(name="second", families=["partner_orders"])

    answer = save(boss, second, **changes)

    second.refresh_from_db()
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert second.default_of == ""
    assert not AuditRow.objects.exists()


def test_a_default_client_cannot_leave_its_family(boss):
    app = make_client(name="app", families=["partner_orders"], default_of="partner_orders")

    answer = save(boss, app, families=["checkout"], default_of="partner_orders")

    app.refresh_from_db()
    assert "The default client of a family must serve it." in answer.content.decode()
    assert app.families == ["partner_orders"]


def test_a_client_is_given_an_app_id_and_loses_it_again(boss):
    app = make_client(name="app", families=["english_app"])

    saved = save(boss, app, families=["english_app"], app_id="7")
    app.refresh_from_db()
    assert (saved.status_code, app.app_id) == (302, 7)
    save(boss, app, families=["english_app"], app_id="")

    app.refresh_from_db()
    assert app.app_id is None
    assert [row.detail["changes"]["app_id"] for row in AuditRow.objects.order_by("id")] == [
        ["None", "7"],
        ["7", "None"],
    ]


@pytest.mark.parametrize(
    ("app_id", "sentence"),
    [
        ("7", "Another client has this app id. Choose another number."),
        ("0", "greater than or equal to 1"),
        ("1000000000", "less than or equal to 999999999"),
        ("x", "Enter a whole number."),
    ],
)
def test_an_app_id_that_is_taken_or_none_is_refused(boss, app_id, sentence):
    make_client(name="app", families=["english_app"], app_id=7)
    second = make_client(name="second", families=["english_app"])

    answer = save(boss, second, families=["english_app"], app_id=app_id)

    second.refresh_from_db()
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert second.app_id is None
    assert not AuditRow.objects.exists()


# --- two at once ------------------------------------------------------------------------------------------------------


def opened(boss, client):
    """What the form carries that somebody opens now."""
    return carried(boss.get(reverse("admin:payments_apiclient_change", args=[client.pk])))


def test_what_a_colleague_changed_meanwhile_is_not_written_over(boss):
    client = make_client(families=["partner_orders"], approval_above_fen=10_000)
    stale = opened(boss, client)
    save(boss, client, **opened(boss, client), approval_above_fen="100")

    answer = save(boss, client, **stale, approval_above_fen="10000", order_ttl_seconds="3600")

    client.refresh_from_db()
    assert (client.approval_above_fen, client.order_ttl_seconds) == (100, 1_800)
    assert "This has changed since you opened the form." in text(boss.get(answer["Location"]))
    assert AuditRow.objects.count() == 1


def test_control_without_what_was_seen_the_later_form_writes_over_it(boss):
    client = make_client(families=["partner_orders"], approval_above_fen=10_000)
    save(boss, client, approval_above_fen="100")

    save(boss, client, approval_above_fen="10000")

    client.refresh_from_db()
    assert client.approval_above_fen == 10_000


def test_a_form_with_an_error_can_be_mended_and_sent_again(boss):
    client = make_client(families=["partner_orders"])
    seen = opened(boss, client)
    answer = save(boss, client, **seen, order_ttl_seconds="x")
    assert carried(answer) == seen

    save(boss, client, **carried(answer), order_ttl_seconds="3600")

    client.refresh_from_db()
    assert client.order_ttl_seconds == 3_600

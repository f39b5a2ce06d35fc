"""The way from a list to a file: the button, the form, the page that counts, the download. Everybody has their own."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.exports import writing
from payments.models import AuditRow, Export
from tests.payments.exports.shelf import VIEWS, ask, file_of, written
from tests.world import make_client, make_customer, make_staff, place_order

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:payments_order_changelist")
ASK = reverse("admin:payments_export_ask", args=["payments.order"])
EXPORTED = (
    "payments.order", "payments.charge", "payments.refund", "payments.transfer", "payments.customer",
    "payments.difference", "payments.billline", "payments.auditrow", "partner_orders.partnerorder",
    "english_app.englishorder",
)  # fmt: skip


@pytest.fixture
def shop():
    client = make_client()
    make_customer(client=client)
    place_order(client=client, number="T1")
    return client


@pytest.fixture
def lin(shop):
    return make_staff("lin", "export_rows", "view_personal_data", *VIEWS)


@pytest.fixture
def browser(client, lin):
    client.force_login(lin)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def page(export, name="change"):
    return reverse(f"admin:payments_export_{name}", args=[export.pk])


def test_a_list_offers_itself_as_it_is_narrowed(browser):
    listed = browser.get(f"{ORDERS}?status__exact=unpaid&q=T1&p=1&total_fen_from=").content.decode()

    assert f'href="{ASK}?status__exact=unpaid&amp;q=T1"' in listed


def test_who_may_not_export_is_offered_nothing(client, shop):
    client.force_login(make_staff("looker", *VIEWS))

    assert "/export/ask/" not in client.get(ORDERS).content.decode()


def test_from_the_form_to_the_file(browser, lin):
    form = browser.get(f"{ASK}?q=T1").content.decode()
    assert "search: T1" in form

    asked = browser.post(f"{ASK}?q=T1", {"format": "csv", "reason": "month's end"})
    export = Export.objects.get()
    assert asked["Location"] == page(export)
    assert (export.model, export.query, export.reason) == ("payments.order", "q=T1", "month's end")
    assert "It begins in a moment." in browser.get(page(export)).content.decode()

    writing.write_due()
    assert f'href="{page(export, "file")}"' in browser.get(page(export)).content.decode()
    response = browser.get(page(export, "file"))
    assert b"".join(response.streaming_content) == file_of(export)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="order-{export.pk}.csv"'
    assert response["Content-Length"] == str(len(file_of(export)))
    assert "no-store" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"
    actions = AuditRow.objects.filter(subject=f"export:{export.pk}").order_by("pk").values_list("actor", "action")
    assert list(actions) == [("user:lin", "export.request"), ("user:lin", "export.download")]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"reason": "x"}, "format"),
        ({"format": "pdf", "reason": "x"}, "format"),
        ({"format": "csv"}, "reason"),
        ({"format": "csv", "reason": "x" * 201}, "reason"),
        ({"format": "csv", "reason": "a\x00"}, "reason"),
    ],
)
def test_a_form_that_is_filled_in_badly_names_the_field(browser, sent, field):
    response = browser.post(ASK, sent)

    assert (response.status_code, list(response.context["form"].errors)) == (200, [field])
    assert not Export.objects.exists()


@pytest.mark.parametrize("query", ["nothing=1", "customer__user__password=x", "id__gt=x"])
def test_filters_that_nobody_knows_are_not_there(browser, query):
    assert browser.get(f"{ASK}?{query}").status_code == 404


def test_a_page_that_is_being_written_counts(browser, lin, monkeypatch):
    export = ask(lin)
    writing.claim(at=timezone.now())
    Export.objects.filter(pk=export.pk).update(rows_done=4_000)

    shown = browser.get(page(export)).content.decode()

    assert "Rows so far:" in shown
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in shown
    assert browser.get(page(export, "state")).json() == {"rows": "4,000", "status": "running"}
    assert browser.get(page(export, "file")).status_code == 404


def test_one_that_waits_for_another_of_ones_own_says_so(browser, lin):
    ask(lin)
    second = ask(lin)
    writing.claim(at=timezone.now())

    assert "Another export of yours is being written; this one follows." in browser.get(page(second)).content.decode()


def test_one_that_is_cut_says_so_on_its_page(browser, lin, shop, monkeypatch):
    monkeypatch.setitem(writing.ROWS_MAX, "csv", 1)
    place_order(client=shop, number="T2")

    export = written(lin)

    assert "Only the newest 1 rows are in this file" in browser.get(page(export)).content.decode()


# --- who may


@pytest.mark.parametrize("model", EXPORTED)
def test_every_list_is_written_for_who_may(boss, book, model):
    address = reverse("admin:payments_export_ask", args=[model])
    listed = boss.get(reverse(f"admin:{model.replace('.', '_')}_changelist"))

    assert f'href="{address}' in listed.content.decode()
    assert boss.post(address, {"format": "xlsx", "reason": "x"}).status_code == 302
    writing.write_due()
    export = Export.objects.latest("pk")
    assert (export.status, export.error) == ("done", "")
    asked = model == "payments.auditrow"  # which is an audit row itself
    assert export.rows_done == len(listed.context["cl"].result_list) + asked > asked


@pytest.mark.parametrize("model", ["payments.gatewayaccount", "auth.user", "payments.export", "no.model", "x"])
def test_other_lists_are_refused(browser, model):
    assert browser.get(reverse("admin:payments_export_ask", args=[model])).status_code == 403


def test_who_has_not_the_permission_is_refused_everywhere(lin, shop):
    export = written(lin)
    for name, permissions in (("looker", VIEWS), ("blind", ("export_rows",))):
        browser = Client()
        browser.force_login(make_staff(name, *permissions))
        assert browser.get(ASK).status_code == 403
        assert browser.post(ASK, {"format": "csv", "reason": "x"}).status_code == 403
    looker = Client()
    looker.force_login(get_user_model().objects.get(username="looker"))
    for name in ("change", "file", "state"):
        assert looker.get(page(export, name)).status_code == 403
    assert looker.get(reverse("admin:payments_export_changelist")).status_code == 403
    assert Export.objects.count() == 1


def test_anothers_export_is_not_there(lin, shop):
    export = written(lin)
    other = Client()
    other.force_login(make_staff("wang", "export_rows", "view_personal_data", *VIEWS))

    assert [other.get(page(export, name)).status_code for name in ("change", "file", "state")] == [404, 404, 404]
    assert export.file_name not in other.get(reverse("admin:payments_export_changelist")).content.decode()


def test_a_superuser_sees_what_others_took_out_and_does_not_take_it(lin, boss):
    export = written(lin)

    shown = boss.get(page(export)).content.decode()

    assert "Only who asked for it can download it." in shown
    assert boss.get(page(export, "file")).status_code == 404
    assert not AuditRow.objects.filter(action="export.download").exists()


def test_who_lost_the_right_to_what_is_in_it_does_not_get_it(browser, lin, shop):
    export = written(lin)
    lin.user_permissions.remove(lin.user_permissions.get(codename="view_personal_data"))

    assert browser.get(page(export, "file")).status_code == 403

    lin.staff_member.sees_every_client = False
    lin.staff_member.save(update_fields=["sees_every_client"])
    again = written(lin)
    assert browser.get(page(again, "file")).status_code == 200
    lin.user_permissions.remove(lin.user_permissions.get(codename="view_order"))
    assert browser.get(page(again, "file")).status_code == 403
    assert AuditRow.objects.filter(action="export.download").count() == 1


def test_a_file_of_more_clients_than_one_sees_now_is_kept_back(browser, lin, shop):
    export = written(lin)
    lin.staff_member.sees_every_client = False
    lin.staff_member.save(update_fields=["sees_every_client"])
    lin.staff_member.clients.set([shop])

    assert browser.get(page(export, "file")).status_code == 403


@pytest.mark.parametrize("name", ["file", "state"])
def test_looking_is_all_that_these_addresses_do(browser, lin, name):
    assert browser.post(page(written(lin), name)).status_code == 405


def test_nobody_writes_an_export_by_hand(boss, lin):
    export = written(lin)

    assert boss.get(reverse("admin:payments_export_add")).status_code == 403
    assert boss.post(page(export), {"reason": "x"}).status_code == 403
    assert boss.post(page(export, "delete"), {"post": "yes"}).status_code == 403

"""The order's own page: its money, its people as far as one may know them, and the story of everything."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from payments import audit
from payments.admin import timeline
from payments.models import (
    Charge,
    Customer,
    DeliveryAttempt,
    GatewayAccount,
    InboundNotification,
    Order,
    OutboxEvent,
    Refund,
    WebhookDelivery,
)
from payments.transactions import transaction
from tests.partner_orders import world as partners
from tests.payments.admin.test_pages import text
from tests.world import make_client, make_staff, place_order

pytestmark = pytest.mark.django_db

EVIL = "\"'><img src=x onerror=alert(1)></pre></script><script>alert(1)</script>"


def page(order, query=None):
    return reverse("admin:payments_order_change", args=[order.pk], query=query)


def raw(order, kind, row):
    return reverse("admin:payments_order_raw", args=[order.pk, kind, row.pk])


def browser(name, *permissions, **who):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(make_staff(name, *permissions, **who))
    return client


LOOKS = ("view_order", "view_charge", "view_inboundnotification", "view_outboxevent", "view_webhookdelivery")


def words(answer):
    return " ".join(text(answer).split())


def entries(answer):
    return [entry for _day, moments in answer.context["days"] for moment in moments for entry in moment.entries]


def attempt(order, **fields):
    told = {"url": "https://www.example.com/hook", "elapsed_ms": 12, "http_status": 500, "answer": "down"}
    return DeliveryAttempt.objects.create(
        delivery=WebhookDelivery.objects.filter(event__order=order).first(), **told | fields
    )


def test_the_head_says_what_it_is_and_the_cards_what_was_paid_and_can_go_back(boss, order):
    shown = words(boss.get(page(order)))

    trade_no = order.charges.get(attempt=2).gateway_trade_no
    for expected in (
        order.number, order.title, "partly refunded", "checkout · goods · shop", "20111111111", "0000010111135",
        "Goods ¥2139.00 Shipping ¥5.00 Total ¥2144.00 Points ¥131.28 Balance ¥0.00 Cash ¥2012.72",
        "Goods refunded ¥1.00 Shipping refunded ¥0.00",
        "Can be refunded now ¥2143.00 Goods ¥2138.00 Shipping ¥5.00",
        "442090", "Name 李雷 Phone 13800138000 Employee number a09999", "Points ¥0.00",
        "Where the customer is led back to https://www.example.com", trade_no,
    ):  # fmt: skip
        assert expected in shown, expected


def test_the_story_has_every_kind_in_the_order_in_which_it_happened(boss, order):
    attempt(order)

    told = entries(boss.get(page(order)))

    assert [entry.at for entry in told] == sorted(entry.at for entry in told)
    assert {entry.kind for entry in told} == set(timeline.KINDS)
    titles = [str(entry.title) for entry in told]
    for expected in (
        "Order made", "points settled, cash due", "everything settled", "refunded in part", "Payment started", "Paid",
        "Gateway notification", "customer's points → held for the order", "held for the order → sales",
        "Refund asked for", "Refund settled", "order paid in full", "order refunded", "Webhook delivery",
        "Webhook sent", "order made", "payment booked", "refund asked for", "refund succeeded",
    ):  # fmt: skip
        assert expected in titles, expected


def test_an_entry_says_who_what_and_how_much(boss, order):
    shown = words(boss.get(page(order)))

    leg = Refund.objects.get().legs.get()
    for expected in (
        "client shop", "gateway in memory",
        f"Money at {GatewayAccount.objects.get()} → held for the order payment ¥2012.72",
        f"Goes back by {leg.charge.get_tender_display()} succeeded ¥1.00 number {leg.number}",
        "client's refund number R-20111111111", "accepted",
    ):  # fmt: skip
        assert expected in shown, expected


def test_newest_first_is_the_same_story_backwards(boss, order):
    forwards, backwards = (
        [moment.at for _day, moments in boss.get(path).context["days"] for moment in moments]
        for path in (page(order), page(order, {"order": "newest"}))
    )

    assert forwards == sorted(forwards)
    assert backwards == forwards[::-1]
    assert len(forwards) > 1


@pytest.mark.parametrize("kind", timeline.KINDS)
def test_the_story_can_be_narrowed_down_to_a_kind(boss, order, kind):
    attempt(order)

    assert {entry.kind for entry in entries(boss.get(page(order, {"kind": kind})))} == {kind}


@pytest.mark.parametrize("query", [{"kind": "x"}, {"kind": "\x00"}, {"order": "'"}, {"kind": "", "order": ""}])
def test_an_odd_question_tells_the_whole_story(boss, order, query):
    assert len(entries(boss.get(page(order, query)))) == len(entries(boss.get(page(order))))


def test_what_one_did_in_one_instant_stands_together(boss, order):
    days = boss.get(page(order)).context["days"]

    moments = [moment for _day, of_day in days for moment in of_day]
    assert len(moments) < len([entry for moment in moments for entry in moment.entries])
    for moment in moments:
        assert {entry.actor for entry in moment.entries} <= {"", moment.actor}


def test_a_deed_on_its_charges_and_refunds_is_told_too(boss, order):
    charge, refund = order.charges.get(attempt=2), Refund.objects.get()
    with audit.on_behalf_of("r-12345678"), transaction():
        for subject in (f"charge:{charge.pk}", f"charge:{charge.number}", f"refund:{refund.number}"):
            audit.record(actor="user:lin", action="a.deed", subject=subject, reason=f"for {subject}")

    shown = words(boss.get(page(order, {"kind": "deeds"})))

    for subject in (f"charge:{charge.pk}", f"charge:{charge.number}", f"refund:{refund.number}"):
        assert f"A.deed reason for {subject}" in shown
    assert "staff lin r-12345678" in shown


def test_a_long_story_is_cut_and_leads_to_the_lists(boss, order, monkeypatch):
    monkeypatch.setattr(timeline, "ENTRIES_MAX", 5)

    answer = boss.get(page(order))

    assert len(entries(answer)) == 5
    assert "This is a long story" in text(answer)
    assert reverse("admin:payments_transfer_changelist", query={"q": order.number}) in answer.content.decode()


def count_queries(browser, path):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


def test_the_number_of_queries_is_the_same_for_a_short_story_and_a_long_one(boss, order):
    few = count_queries(boss, page(order))
    told = InboundNotification.objects.get()
    for count in range(20):
        InboundNotification.objects.create(
            gateway="memory", verdict="repeat", charge=told.charge, headers={}, body=b"x", detail=str(count)
        )
        attempt(order)
        with transaction():
            audit.record(actor="user:lin", action="a.deed", subject=order.subject)

    assert count_queries(boss, page(order)) == few
    assert few <= 25


def test_a_page_that_nobody_may_change_takes_nothing(boss, order):
    before = Order.objects.filter(pk=order.pk).values().get()

    assert boss.post(page(order), {"status": "closed", "_save": ""}).status_code == 403
    assert Order.objects.filter(pk=order.pk).values().get() == before


@pytest.mark.parametrize("pk", ["x", "0", "9" * 30, "1%00"])
def test_an_order_that_is_not_there_is_404(boss, order, pk):
    assert boss.get(f"/admin/payments/order/{pk}/change/").status_code == 404


def test_a_foreign_client_s_order_is_404_and_so_are_its_raw_bodies(order):
    lin = browser("lin", *LOOKS, clients=[make_client(name="rival")])

    assert lin.get(page(order)).status_code == 404
    for kind, row in bodies(order).items():
        assert lin.get(raw(order, kind, row)).status_code == 404, kind


def bodies(order):
    return {
        "notification": InboundNotification.objects.get(),
        "event": OutboxEvent.objects.filter(order=order).first(),
        "attempt": attempt(order),
        "charge": order.charges.get(attempt=2),
    }


def test_a_raw_body_of_another_order_or_of_no_kind_is_404(boss, order):
    other = place_order(client=order.client, number="T2")

    for kind, row in bodies(order).items():
        assert boss.get(raw(order, kind, row)).status_code == 200, kind
        assert boss.get(raw(other, kind, row)).status_code == 404, kind
    assert boss.get(f"/admin/payments/order/{order.pk}/raw/nothing/1/").status_code == 404
    assert boss.get(f"/admin/payments/order/{order.pk}/raw/event/{'9' * 30}/").status_code == 404
    assert boss.post(raw(order, "charge", order.charges.first())).status_code == 405


def test_a_raw_body_is_403_for_who_may_not_see_its_kind_and_not_offered(order):
    lin = browser("lin", "view_order")

    shown = lin.get(page(order)).content.decode()
    for kind, row in bodies(order).items():
        assert lin.get(raw(order, kind, row)).status_code == 403, kind
        assert raw(order, kind, row) not in shown


def test_without_the_right_no_person_is_on_the_page_and_with_it_they_are(order):
    Charge.objects.filter(order=order, attempt=2).update(
        last_answer="buyer_logon_id=13800138000", payload={"openid": "oUpF8uMuAJO", "sign": "S3CRET"}
    )
    InboundNotification.objects.update(
        headers={"X-Phone": "13800138000", "Wechatpay-Signature": "S3CRET"},
        body="<openid><![CDATA[oUpF8uMuAJO]]></openid><sign>S3CRET</sign><user_name>李雷 x</user_name>".encode(),
    )
    kept = attempt(order, answer='{"phone": "13800138000", "real_name": "李雷", "token": "S3CRET"}')
    paths = [page(order), *(raw(order, kind, row) for kind, row in (bodies(order) | {"attempt": kept}).items())]
    lin, mei = browser("lin", *LOOKS), browser("mei", *LOOKS, "view_personal_data")

    hidden, seen = ("".join(who.get(path).content.decode() for path in paths) for who in (lin, mei))

    for person in ("13800138000", "李雷", "oUpF8uMuAJO"):
        assert person not in hidden
        assert person in seen
    assert "138****8000" in hidden
    assert "S3CRET" not in hidden + seen


def test_a_recipient_of_a_family_s_document_is_behind_stars(client):
    bought = partners.make_something_of_every_kind(client=partners.make_partner_client(name="partner"))
    lin, mei = browser("lin", *LOOKS), browser("mei", *LOOKS, "view_personal_data")

    hidden, seen = (who.get(page(bought.order)).content.decode() for who in (lin, mei))

    for person in (bought.receive_name, bought.receive_phone, bought.receive_address):
        assert person not in hidden
        assert person in seen


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a": {"b": 1, "sign": "S"}}', '{\n  "a": {\n    "b": 1,\n    "sign": "***"\n  }\n}'),
        (b"out_trade_no=1_2&sign=S&subject=a%26b", "out_trade_no = 1_2\nsign = ***\nsubject = a&b"),
        (b"<xml><a><![CDATA[1]]></a><sign>S</sign></xml>", "<xml>\n<a>1</a>\n<sign>***</sign>\n</xml>"),
        (b"just text sign=S", "just text sign=***"),
        (b"\xff\x00", "\ufffd\x00"),
        (b"", "–"),
    ],
)  # fmt: skip
def test_a_body_is_laid_out_without_its_secrets(boss, order, body, shown):
    InboundNotification.objects.update(body=body)

    answer = boss.get(raw(order, "notification", InboundNotification.objects.get()))

    pre = re.findall(r"<pre[^>]*>(.*?)</pre>", answer.content.decode(), re.DOTALL)[1]
    assert pre.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == shown


@pytest.mark.parametrize(
    "body",
    [b"[" * 60_000, b"{" * 9, b"<a>" * 20_000, b"<a><![CDATA[" * 5_000, b"a=1&" * 16_000, b"x" * 65_536,
     b'{"a": 1' + b"0" * 5_000 + b"}", EVIL.encode() * 700, b"[1e999]", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"],
    ids=["brackets", "braces", "elements", "cdata", "fields", "long", "number", "evil", "infinite", "entity"],
)  # fmt: skip
def test_a_hostile_body_is_shown_cut_and_takes_no_time(boss, order, body):
    InboundNotification.objects.update(body=body)

    answer = boss.get(raw(order, "notification", InboundNotification.objects.get()))

    assert answer.status_code == 200
    assert len(answer.content) < 400_000
    assert b"<img src=x" not in answer.content
    assert b"<script>alert" not in answer.content


def test_what_strangers_wrote_is_text_everywhere(boss, order):
    evil = place_order(client=order.client, number=EVIL[:64])
    Customer.objects.update(real_name=EVIL[:64], phone=EVIL[:32], ee_no=EVIL[:64])
    Charge.objects.filter(attempt=2).update(last_answer=EVIL, payload={EVIL: EVIL})
    InboundNotification.objects.update(detail=EVIL, notification_id=EVIL, headers={EVIL: EVIL}, body=EVIL.encode())
    Refund.objects.update(reason=EVIL)
    kept = attempt(order, url=f"https://x/{EVIL}", error=EVIL, answer=EVIL)
    with audit.on_behalf_of(EVIL[:36]), transaction():
        audit.record(actor=EVIL[:64], action="a.deed", subject=order.subject, **{EVIL: EVIL})
    paths = [page(order), page(evil), reverse("admin:payments_customer_change", args=[order.customer_id])]
    paths += [raw(order, kind, row) for kind, row in (bodies(order) | {"attempt": kept}).items()]

    assert boss.get(page(evil)).content.decode().count("alert(1)") >= 2, "it is to be shown"
    for path in paths:
        shown = boss.get(path).content.decode()
        assert "<img src=x" not in shown
        assert "<script>alert" not in shown
        assert not re.search(r"<[^>]*\son\w+=", shown), path


def test_who_may_not_refund_is_offered_nothing_and_who_may_is(boss, order):
    lin = browser("lin", "view_order")

    refund = reverse("admin:payments_order_refund", args=[order.pk])
    assert refund in [address for address, _words in boss.get(page(order)).context["buttons"]]
    assert lin.get(page(order)).context["buttons"] == []


def test_a_flag_stands_in_the_head(boss, order):
    Order.objects.filter(pk=order.pk).update(money_flag="paid_late")

    assert f"{order.title} partly refunded flag paid late" in words(boss.get(page(order)))


def test_the_customer_s_page_shows_their_last_orders_and_leads_to_their_statements(boss, order):
    shown = boss.get(reverse("admin:payments_customer_change", args=[order.customer_id])).content.decode()

    assert f'<a href="{page(order)}" class="text-link">{order.number}</a>' in shown
    assert f"?q=points:{order.customer_id}" in shown
    listed = boss.get(reverse("admin:payments_order_changelist", query={"customer__id__exact": order.customer_id}))
    assert list(listed.context["cl"].result_list) == [order]

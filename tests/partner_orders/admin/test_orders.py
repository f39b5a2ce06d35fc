"""Staff find a partner order, ship it, correct that, take it as received, remark on it."""

import datetime

import pytest
from django.utils import timezone

from partner_orders import remarks, shipping
from partner_orders.models import PartnerOrder, PayType
from partner_orders.shipping import Shipment
from payments.models import AuditRow, Order
from tests.partner_orders.world import NOW, USER_ID, buy, make_alipay, make_partner
from tests.payments.admin.forms import carried, errors, listing, page, send
from tests.payments.admin.test_decisions import act, browser
from tests.payments.admin.test_pages import page as page_of
from tests.payments.admin.test_pages import text

pytestmark = pytest.mark.django_db

MAY = ("view_partnerorder", "ship_partnerorder", "change_partnerorder", "view_order")
PARCEL = {"name": "顺丰速运", "number": "SF1234567890", "code": "", "address": ""}
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def lin():
    return browser("lin", *MAY)


@pytest.fixture
def document(pack, address):
    return buy(pack=pack, address=address)


def anew(document):
    return PartnerOrder.objects.select_related("order").get(pk=document.pk)


def shipped(document, number="SF1", **fields):
    shipment = Shipment(name="EMS", number=number, at=timezone.now(), **fields)
    return shipping.ship(order_id=document.order_id, shipment=shipment, actor="client:shop", at=timezone.now())


def shipment(document):
    now = anew(document)
    return (now.delivery, now.express_name, now.express_code, now.express_number)


NOT_SHIPPED = ("waiting", "", "", "")


class TestList:
    def test_it_tells_the_one_status_that_the_wire_tells(self, lin, document):
        assert "paid" in text(lin.get(listing(PartnerOrder)))
        shipped(document)

        shown = text(lin.get(listing(PartnerOrder)))

        for expected in (document.order.number, "张学友", "shipped", "¥300.00", "¥0.00", "EMS SF1", "balance"):
            assert expected in shown

    def test_it_asks_as_often_for_many_as_for_one(self, lin, document, pack, address, django_assert_num_queries):
        lin.get(listing(PartnerOrder))
        with django_assert_num_queries(7):
            lin.get(listing(PartnerOrder))
        buy(pack=pack, address=address, at=timezone.now() + datetime.timedelta(days=1))

        with django_assert_num_queries(7):
            assert len(lin.get(listing(PartnerOrder)).context["cl"].result_list) == 2

    @pytest.mark.parametrize("by", ["number", "uid", "tracking", "recipient", "user_id", "phone"])
    def test_an_order_is_found_by_what_stands_on_it(self, lin, document, customer, pack, by):
        other = make_partner(client=customer.client, user_id="442091", phone="1")
        buy(pack=pack, address=other.partner_addresses.create(name="x", phone="2", address="x"))
        shipped(document, number="YT-1")
        term = {
            "number": document.order.number, "uid": document.uid, "tracking": "YT-1", "recipient": "18578229023",
            "user_id": USER_ID, "phone": customer.phone,
        }[by]  # fmt: skip

        assert list(lin.get(listing(PartnerOrder), {"q": term}).context["cl"].result_list) == [document]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("delivery__exact=waiting", 1),
            ("delivery__exact=shipped", 0),
            ("pay_type__exact=1", 1),
            ("pay_type__exact=2", 0),
            ("order__status__exact=pay_finished", 1),
            ("order__status__exact=closed", 0),
            ("order__created_at_from=2018-01-01&order__created_at_to=2999-01-01", 1),
            ("order__created_at_to=2018-01-01", 0),
        ],
    )
    def test_it_filters(self, lin, document, query, found):
        assert len(lin.get(f"{listing(PartnerOrder)}?{query}").context["cl"].result_list) == found


def test_the_page_tells_all_and_leads_to_the_order(lin, document):
    shipped(document, number="YT-1", code="EMS", address="深圳")

    answer = lin.get(page(document))

    shown = text(answer)
    for expected in (
        " shipped ",
        document.uid,
        "拉卡拉大POS",
        "¥300.00",
        "刘德华",
        "18578229023",
        "湖南省长沙市",
        "EMS",
        "YT-1",
        "深圳",
    ):
        assert expected in shown
    assert f'href="{page_of(Order, "change", document.order_id)}"' in answer.content.decode()


def test_the_order_s_page_tells_of_the_document_and_leads_to_it(lin, document):
    answer = lin.get(page_of(Order, "change", document.order_id))

    shown = " ".join(text(answer).split())
    assert "Gift pack 拉卡拉大POS 1台装礼包 升V5" in shown
    assert "Recipient 刘德华 18578229023" in shown
    assert f'href="{page(document)}"' in answer.content.decode()


class TestShip:
    def test_an_order_is_shipped(self, lin, document):
        answer = send(lin, page(document, "ship"), PARCEL, at=now())

        assert answer.redirect_chain == [(page(document), 302)]
        assert shipment(document) == ("shipped", "顺丰速运", "SF", "SF1234567890")
        row = AuditRow.objects.get(action="partner_order.ship")
        assert (row.actor, row.subject) == ("user:lin", f"order:{document.order.number}")

    def test_it_begins_with_now_in_shanghai(self, lin, document):
        before = timezone.localtime().replace(microsecond=0, tzinfo=None)

        begun = lin.get(page(document, "ship")).context["form"]["at"].value()

        assert before <= datetime.datetime.fromisoformat(begun) <= before + MINUTE

    def test_a_time_is_shanghai_s(self, lin, pack, address):
        document = buy(pack=pack, address=address, at=NOW)

        send(lin, page(document, "ship"), PARCEL, at="2022-01-08T10:00:00")

        assert anew(document).shipped_at == datetime.datetime(2022, 1, 8, 2, 0, tzinfo=datetime.UTC)

    def test_a_code_that_is_entered_stays(self, lin, document):
        send(lin, page(document, "ship"), PARCEL | {"code": "SFX", "at": now()})

        assert shipment(document)[2] == "SFX"

    def test_a_shipment_is_corrected_and_its_time_kept(self, lin, document):
        at = shipped(document, number="wrong").shipped_at
        begun = lin.get(page(document, "ship")).context["form"].initial

        send(lin, page(document, "ship"), begun | {"number": "right"})

        assert shipment(document) == ("shipped", "EMS", "EMS", "right")
        assert anew(document).shipped_at == at

    def test_a_form_sent_twice_ships_once(self, lin, document):
        fields = carried(lin.get(page(document, "ship"))) | PARCEL | {"at": now()}

        answers = [lin.post(page(document, "ship"), fields) for _time in range(2)]

        assert [answer.status_code for answer in answers] == [302, 302]
        assert AuditRow.objects.filter(action="partner_order.ship").count() == 1

    @pytest.mark.parametrize("meanwhile", ["shipped", "received"])
    def test_a_form_from_before_something_else_happened_is_refused_and_shown_anew(self, lin, document, meanwhile):
        fields = carried(lin.get(page(document, "ship"))) | PARCEL | {"at": now()}
        shipped(document)
        if meanwhile == "received":
            shipping.receive(order_id=document.order_id, actor="client:shop", at=timezone.now())
        before = shipment(document)

        answer = lin.post(page(document, "ship"), fields)

        assert errors(answer) == {"__all__": [shipping.ShippedMeanwhile().sentence()]}
        assert "EMS SF1" in text(answer)
        assert 'value="SF1234567890"' in answer.content.decode()
        assert carried(answer)["as_seen"] == shipping.seen(anew(document)) != fields["as_seen"]
        assert shipment(document) == before

    @pytest.mark.parametrize(
        ("entered", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"name": "x\ny"}, "name"),
            ({"number": " "}, "number"),
            ({"number": "\x00"}, "number"),
            ({"code": "x" * 33}, "code"),
            ({"address": "x" * 256}, "address"),
            ({"at": ""}, "at"),
            ({"at": "x"}, "at"),
            ({"at": "0001-01-01T00:00:00"}, "at"),
            ({"at": "9999-12-31T23:59:59"}, "at"),
            ({"at": "2018-01-01T00:00:00"}, "at"),
            ({"at": "2018-01-01T00:00:00+99:99"}, "at"),
            ({"as_seen": "x"}, "__all__"),
            ({"as_seen": "0" * 64}, "__all__"),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field(self, lin, document, entered, field):
        answer = send(lin, page(document, "ship"), PARCEL | {"at": now()} | entered)

        assert answer.status_code == 200
        assert list(errors(answer)) == [field]
        assert shipment(document) == NOT_SHIPPED
        assert not AuditRow.objects.filter(action="partner_order.ship").exists()

    def test_an_order_that_is_not_paid_has_no_button_and_is_refused_in_a_sentence(self, lin, pack, address, client_):
        make_alipay()
        unpaid = buy(pack=pack, address=address, pay_type=PayType.ALIPAY)

        answer = send(lin, page(unpaid, "ship"), PARCEL | {"at": now()})

        assert errors(answer) == {"__all__": [shipping.OrderNotShippable().sentence()]}
        assert shipment(unpaid) == NOT_SHIPPED
        assert page(unpaid, "ship") not in lin.get(page(unpaid)).content.decode()


def now():
    return f"{timezone.localtime() + datetime.timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"


class TestReceive:
    def test_an_order_is_marked_as_received_with_a_reason(self, lin, document):
        shipped(document)

        answer = act(lin, listing(PartnerOrder), "receive", document, reason="seen the receipt")

        assert "1 order was received." in text(answer)
        assert shipment(document)[0] == "received"
        row = AuditRow.objects.get(action="partner_order.receive")
        assert (row.actor, row.detail) == ("user:lin", {"reason": "seen the receipt"})

    def test_one_that_was_not_shipped_is_refused_by_its_number(self, lin, document):
        answer = act(lin, listing(PartnerOrder), "receive", document)

        assert f"{document.order.number}: {shipping.OrderNotReceivable().sentence()}" in text(answer)
        assert shipment(document) == NOT_SHIPPED

    @pytest.mark.parametrize(("who", "reason"), [(MAY, " "), (("view_partnerorder", "change_partnerorder"), "x")])
    def test_without_a_reason_or_the_right_it_is_not(self, document, who, reason):
        shipped(document)

        act(browser("someone", *who), listing(PartnerOrder), "receive", document, reason=reason)

        assert shipment(document)[0] == "shipped"


class TestRemark:
    def test_a_remark_is_kept_and_taken_away_again(self, lin, document):
        send(lin, page(document, "remark"), {"text": "已联系"})
        assert anew(document).remark == "已联系"

        send(lin, page(document, "remark"), {"text": ""})

        assert anew(document).remark == ""
        assert [row.detail for row in AuditRow.objects.filter(action="partner_order.remark").order_by("pk")] == [
            {"before": "", "after": "已联系"}, {"before": "已联系", "after": ""},
        ]  # fmt: skip

    def test_somebody_else_s_is_not_overwritten_unread(self, lin, document):
        fields = carried(lin.get(page(document, "remark"))) | {"text": "mine"}
        remarks.remark(order_id=document.order_id, text="theirs", seen="", actor="user:wang")

        answer = lin.post(page(document, "remark"), fields)

        assert errors(answer) == {"__all__": [remarks.RemarkedMeanwhile().sentence()]}
        assert "theirs" in text(answer)
        assert anew(document).remark == "theirs"

    @pytest.mark.parametrize("entered", [{"text": "x" * 256}, {"text": "\x00"}, {"text": "a\nb"}])
    def test_what_is_no_line_is_refused(self, lin, document, entered):
        assert list(errors(send(lin, page(document, "remark"), entered))) == ["text"]
        assert anew(document).remark == ""

"""`POST /rest/wx/push_order` and `/rest/ali/push_order` over HTTP: which orders can be paid, how, and which cannot."""

import pytest
from django.utils import timezone

from payments.charges import settlement
from payments.gateways.base import Outcome, PaymentState
from payments.models import AuditRow, Charge, Order, OrderTransition, Transfer
from payments.orders import operations as orders
from payments.transactions import transaction
from tests.attacks.conftest import make_alipay_account
from tests.calls import body, post, signed
from tests.faults.test_alipay_end_to_end import connect
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.payments.api.test_direct_orders import APPOINTMENT, GOODS, WALLET, made
from tests.threads import all_lines_engaged
from tests.world import grant, make_client, make_customer, owe_from_balance, place_order

pytestmark = pytest.mark.django_db

WECHAT, ALIPAY = "/rest/wx/push_order", "/rest/ali/push_order"
TYPE = {WECHAT: "NATIVE", ALIPAY: "APP"}
BOTH = pytest.mark.parametrize("path", [WECHAT, ALIPAY])
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def shop(db):
    shop = make_client()
    shop.customer = make_customer(client=shop)
    return shop


@pytest.fixture
def alipay(db):
    """An account that nobody answers for: an order string for the app needs no answer."""
    return make_alipay_account()


def asking_for(order, path=ALIPAY, **fields):
    order_type = {"goods": "Order", "recharge": "Wallet", "appointment": "Appointment"}[order.kind]
    return {"order_type": order_type, "order_number": order.number, "type": TYPE[path], **fields}


def pushed(client, order, path=ALIPAY, **fields):
    status, answer = post(client, path, asking_for(order, path, **fields))
    assert (status, answer["status_code"]) == (200, 0), answer
    return answer["data"]


def refused(client, params, path=ALIPAY, *, status, code, field="", **how):
    """Send a call that must be refused, with no money moved and no attempt begun."""
    before = books()
    told_status, answer = post(client, path, params, **how)
    assert (told_status, answer["status_code"], answer["data"], answer["error_code"]) == (status, 1, {}, code)
    assert answer["message"].startswith(f"{field}: " if field else "")
    assert len(answer["message"]) > len(field) + 5
    assert books() == before
    return answer


def books():
    return [model.objects.count() for model in (Order, Charge, OrderTransition, AuditRow, Transfer)]


def settle(order, outcome=Outcome.SUCCEEDED):
    charge = order.charges.get()
    state = PaymentState(outcome=outcome, number=charge.number, amount_fen=charge.amount_fen, trade_no="2018")
    settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())


def move(order, *events):
    for event in events:
        with transaction():
            orders.apply(order=orders.lock(order_id=order.pk), event=event, actor="test", at=timezone.now())


class TestWhatCanBePaid:
    @pytest.mark.parametrize("params", [GOODS, WALLET, APPOINTMENT], ids=lambda params: params["order_type"])
    def test_an_order_of_each_type(self, client, shop, alipay, params):
        order = made(client, params)

        assert list(pushed(client, order)) == ["order_string", "orderString"]

        charge = Charge.objects.get()
        assert (charge.order, charge.amount_fen, charge.tender, charge.mode) == (order, 1_110, "alipay", "app")

    def test_the_cash_of_an_order_of_another_family(self, client, shop, alipay):
        grant(customer=shop.customer, amount_fen=13_128, reference="spring")
        order = place_order(client=shop, total_fen=214_400)

        pushed(client, order)

        assert Charge.objects.get(order=order, tender="alipay").amount_fen == 201_272

    @pytest.mark.parametrize("connect_wechat", [connect_wechat_v2, connect_wechat_v3], ids=["v2", "v3"])
    def test_at_wechat_pushing_again_shows_the_same_code(self, client, shop, simulator, connect_wechat):
        connect_wechat(simulator)
        order = made(client, GOODS)

        first, again = pushed(client, order, WECHAT), pushed(client, order, WECHAT)

        assert first == again
        assert Charge.objects.count() == len(simulator.trades()) == 1

    @pytest.mark.parametrize("type_", ["QRCODE", "APP"])
    def test_at_alipay_pushing_again_gives_the_same(self, client, shop, simulator, type_):
        connect(simulator, notify_base=NOWHERE)
        order = made(client, GOODS)

        first, again = pushed(client, order, type=type_), pushed(client, order, type=type_)

        assert first == again
        assert Charge.objects.count() == 1

    def test_another_type_is_another_attempt_of_the_same_amount(self, client, shop, simulator):
        connect(simulator, notify_base=NOWHERE)
        order = made(client, GOODS)

        pushed(client, order, type="QRCODE")
        pushed(client, order, type="APP")

        assert list(order.charges.values_list("number", "mode", "amount_fen", "is_replaced")) == [
            (f"{order.number}_1", "qr", 1_110, True),
            (f"{order.number}_2", "app", 1_110, False),
        ]

    @pytest.mark.parametrize("number", ["text", "number"])
    def test_the_number_may_come_as_a_number(self, client, shop, alipay, number):
        order = made(client, GOODS)
        sent = body(asking_for(order))
        if number == "number":
            sent = sent.replace(f'"{order.number}"', order.number)

        assert post(client, ALIPAY, sent)[0] == 200


class TestWhatCannot:
    @BOTH
    @pytest.mark.parametrize("number", ["12346", "20180802000000000000", "", "x" * 64])
    def test_an_unknown_order(self, client, shop, path, number):
        params = {"order_type": "Order", "order_number": number or "0", "type": TYPE[path]}

        refused(client, params, path, status=404, code="order_unknown")

    @BOTH
    def test_another_clients_order_is_unknown_word_for_word(self, client, shop, alipay, path):
        order = made(client, GOODS)
        make_client(name="rival")
        nobodys = {**asking_for(order, path), "order_number": "20180802000000000000"}

        theirs = refused(client, asking_for(order, path), path, token="rival-token", status=404, code="order_unknown")
        none = refused(client, nobodys, path, token="rival-token", status=404, code="order_unknown")

        assert theirs == none

    @BOTH
    @pytest.mark.parametrize(
        ("params", "order_type"),
        [(GOODS, "Wallet"), (GOODS, "Appointment"), (WALLET, "Order"), (APPOINTMENT, "Wallet")],
        ids=lambda value: value if isinstance(value, str) else value["order_type"],
    )
    @pytest.mark.usefixtures("shop", "alipay")
    def test_an_order_of_another_type_says_so(self, client, path, params, order_type):
        order = made(client, params)

        refused(
            client, asking_for(order, path, order_type=order_type), path,
            status=422, code="order_type_wrong", field="order_type",
        )  # fmt: skip

    def test_a_paid_order(self, client, shop, alipay):
        order = made(client, GOODS)
        pushed(client, order)
        settle(order)

        refused(client, asking_for(order), status=409, code="order_paid")

    @pytest.mark.parametrize("event", ["refunded_in_part", "refunded_in_full"])
    def test_a_refunded_order(self, client, shop, alipay, event):
        order = made(client, GOODS)
        pushed(client, order)
        settle(order)
        move(order, event)

        refused(client, asking_for(order), status=409, code="order_refunded")

    def test_a_closed_order(self, client, shop, alipay):
        order = made(client, GOODS)
        move(order, "closed")

        refused(client, asking_for(order), status=409, code="order_closed")

    def test_an_order_that_points_have_paid(self, client, shop, alipay):
        grant(customer=shop.customer, amount_fen=500, reference="spring")
        order = place_order(client=shop, total_fen=500)

        refused(client, asking_for(order), status=409, code="order_paid")

    @BOTH
    def test_an_order_that_the_balance_is_to_pay(self, client, shop, alipay, path):
        grant(customer=shop.customer, kind="balance", amount_fen=500, reference="spring")
        order = owe_from_balance(customer=shop.customer, total_fen=500, shipping_fen=0)

        refused(client, asking_for(order, path), path, status=409, code="order_from_balance")

    def test_an_order_without_time_left(self, client, shop, alipay):
        order = made(client, GOODS)
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now())

        refused(client, asking_for(order), status=422, code="order_expired")

    @BOTH
    def test_a_gateway_that_is_not_set_up(self, client, shop, path):
        order = made(client, GOODS)

        refused(client, asking_for(order, path), path, status=422, code="no_gateway_account")

    def test_a_method_that_the_merchant_has_no_contract_for(self, client, shop, alipay):
        alipay.modes = ["qr"]
        alipay.save()
        order = made(client, GOODS)

        refused(client, asking_for(order), status=422, code="no_gateway_account")

    @pytest.mark.parametrize(
        ("path", "type_"),
        [
            *((WECHAT, word) for word in ("native", "JSAPI", "QRCODE", "APP", ["NATIVE"], True)),
            *((ALIPAY, word) for word in ("qrcode", "NATIVE", "WAP", {}, 1)),
        ],
    )
    def test_a_type_that_there_is_not(self, client, shop, alipay, path, type_):
        order = made(client, GOODS)

        refused(client, asking_for(order, path, type=type_), path, status=400, code="invalid_field", field="type")

    @BOTH
    @pytest.mark.parametrize("order_type", ["order", "Goods", ["Order"], 1])
    def test_an_order_type_that_there_is_not(self, client, shop, alipay, path, order_type):
        order = made(client, GOODS)

        refused(
            client, asking_for(order, path, order_type=order_type), path,
            status=400, code="invalid_field", field="order_type",
        )  # fmt: skip

    @BOTH
    @pytest.mark.parametrize("field", ["order_type", "order_number", "type"])
    @pytest.mark.parametrize("empty", [None, "", "left out"])
    @pytest.mark.usefixtures("shop", "alipay")
    def test_what_is_missing_is_named(self, client, path, field, empty):
        params = asking_for(made(client, GOODS), path, **{field: empty})
        if empty == "left out":
            del params[field]

        refused(client, params, path, status=400, code="missing_field", field=field)

    @BOTH
    @pytest.mark.parametrize("number", ["x" * 65, ["1"], {}, True, "1\x00", 1.5])
    def test_what_is_no_number_is_named(self, client, shop, path, number):
        params = {"order_type": "Order", "order_number": number, "type": TYPE[path]}
        code = "unusable_text" if number == "1\x00" else "invalid_field"

        refused(client, params, path, status=400, code=code, field="order_number")


class TestGatewaysInTrouble:
    @pytest.mark.parametrize("fault", ["http_500", "garbage", "bad_signature", "system_error_but_done"])
    @pytest.mark.parametrize("connect_wechat", [connect_wechat_v2, connect_wechat_v3], ids=["v2", "v3"])
    def test_wechat_that_does_not_answer_is_asked_again_under_the_same_number(
        self, client, shop, simulator, connect_wechat, fault
    ):
        connect_wechat(simulator)
        order = made(client, GOODS)
        simulator.arm(fault, times=1)

        status, answer = post(client, WECHAT, asking_for(order, WECHAT))
        code = pushed(client, order, WECHAT)["codeUrl"]

        assert (status, answer["error_code"], answer["data"]) == (503, "gateway_unanswered", {})
        assert simulator.scan_code(code)["out_trade_no"] == Charge.objects.get().number == f"{order.number}_1"
        assert len(simulator.trades()) == 1

    def test_alipay_that_nobody_answers_for(self, client, shop, alipay):
        order = made(client, GOODS)

        answer = client.post(
            ALIPAY, data=body(asking_for(order, type="QRCODE")), content_type="application/json",
            headers={"authorization": "shop-token"},
        )  # fmt: skip

        assert (answer.status_code, answer.json()["error_code"]) == (503, "gateway_unanswered")
        assert answer.headers["Retry-After"] == "1"
        assert Charge.objects.get().status == "unknown"
        assert Transfer.objects.count() == 0

    def test_what_the_gateway_refuses_can_be_paid_another_way(self, client, shop, simulator):
        connect(simulator, notify_base=NOWHERE)
        connect_wechat_v2(simulator)
        dear = made(client, {**GOODS, "total_amount": "100000000.01"})
        order = made(client, GOODS)

        status, answer = post(client, ALIPAY, asking_for(dear, type="QRCODE"))

        assert (status, answer["error_code"], answer["data"]) == (422, "gateway_refused", {})
        assert Charge.objects.get().status == "failed"
        assert pushed(client, order, WECHAT)["totalFee"] == "1110"

    def test_an_account_whose_keys_do_not_fit(self, client, shop, alipay):
        alipay.options = {}
        alipay.save()
        order = made(client, GOODS)

        status, answer = post(client, ALIPAY, asking_for(order))

        assert (status, answer["error_code"]) == (503, "gateway_misconfigured")

    def test_too_many_calls_under_way(self, client, shop, alipay):
        order = made(client, GOODS)
        with all_lines_engaged():
            status, answer = post(client, ALIPAY, asking_for(order))

        assert (status, answer["error_code"]) == (503, "gateway_busy")
        assert pushed(client, order)["order_string"]


class TestWhoCalls:
    @BOTH
    @pytest.mark.parametrize("header", ["shop-token", "Token shop-token", "Bearer shop-token"])
    def test_the_token_alone_is_asked_for_in_any_form(self, client, shop, path, header):
        answer = client.post(path, data="{}", content_type="application/json", headers={"authorization": header})

        assert (answer.status_code, answer.json()["error_code"]) == (400, "missing_field")

    @BOTH
    @pytest.mark.parametrize(("token", "code"), [("", "token_missing"), ("other", "token_unknown")])
    @pytest.mark.usefixtures("shop", "alipay")
    def test_without_it_nothing_begins(self, client, path, token, code):
        order = made(client, GOODS)

        refused(client, asking_for(order, path), path, token=token, status=401, code=code)

    @BOTH
    def test_a_wrong_sign_is_refused(self, client, shop, alipay, path):
        order = made(client, GOODS)
        params = {**signed(asking_for(order, path)), "order_type": "Wallet"}

        refused(client, params, path, status=401, code="sign_wrong", field="sign")

    def test_a_right_one_is_fine(self, client, shop, alipay):
        order = made(client, GOODS)

        assert post(client, ALIPAY, signed(asking_for(order)))[0] == 200

"""Every refund that must be refused: a clear error in the envelope, the field named, and nothing moved."""

import pytest
from django.utils import timezone

from payments.closing import operations as closing
from payments.gateways import memory
from payments.models import Refund
from payments.refunds import operations as refunds
from tests.calls import Text, body, post, signed
from tests.checkout.test_refunds import BACK, DETAIL, REFUND, refund, refused
from tests.payments.api.test_direct_orders import GOODS
from tests.payments.refunds.shop import paid_order, recharge
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


AMOUNTS_REFUSED = [
    Text("-1"), Text("21.441"), Text("1e2"), Text("1E400"), Text("1234567890123"), "NaN", "Infinity", "１２", " 5",
    "abc", "1,000", "+5", True, False, [], {}, "5.", ".5", "-0",
]  # fmt: skip


@pytest.mark.parametrize("value", AMOUNTS_REFUSED, ids=repr)
@pytest.mark.parametrize("field", ["goods_amount", "shipping_amount"])
def test_what_is_no_amount_of_yuan_is_refused(client, field, value):
    paid_order()

    refused(client, signed(BACK | {field: value}), status=400, code="invalid_field", field=field)


@pytest.mark.parametrize("nothing", [{"goods_amount": "0", "shipping_amount": "0.00"},
                                     {"goods_amount": None, "shipping_amount": ""}], ids=str)  # fmt: skip
def test_a_refund_of_nothing_is_refused(client, nothing):
    paid_order()

    refused(client, signed(BACK | nothing), status=400, code="malformed", field="goods_amount")


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_a_missing_refund_no_is_named(client, path, empty):
    paid_order()

    params = signed(BACK | {"refund_no": empty})
    refused(client, params, path=path, status=400, code="missing_field", field="refund_no")


@pytest.mark.parametrize(
    "value", ["R" * 65, "R&1", "R 1", " R1", "退1", "R\n1", "R\x7f", Text("1.5"), True, ["R1"], {}], ids=repr
)
@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_a_refund_no_that_could_be_read_in_two_ways_is_refused(client, path, value):
    paid_order()

    params = signed(BACK | {"refund_no": value})
    refused(client, params, path=path, status=400, code="invalid_field", field="refund_no")


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
@pytest.mark.parametrize("field", ["refund_no", "reason", "out_trade_no"])
def test_a_nul_and_half_a_pair_are_refused(client, field, text):
    paid_order()
    raw = body(signed(BACK | {field: "HERE"})).replace("HERE", text)

    refused(client, raw, status=400, code="unusable_text", field=field)


@pytest.mark.parametrize("value", ["x" * 201, "two\nlines", "a\u2028b", ["x"], Text("1.5"), True], ids=repr)
def test_a_reason_is_one_line_of_200_at_most(client, value):
    paid_order()

    refused(client, signed(BACK | {"reason": value}), status=400, code="invalid_field", field="reason")


def test_the_longest_refund_no_and_reason_are_kept(client):
    paid_order()

    status, _answer = refund(client, refund_no="~" * 64, reason="长" * 200)

    kept = Refund.objects.get()
    assert (status, kept.refund_no, kept.reason) == (200, "~" * 64, "长" * 200)


@pytest.mark.parametrize("empty", [None, ""])
def test_a_refund_of_no_order_is_refused(client, empty):
    paid_order()

    refused(client, signed(BACK | {"out_trade_no": empty}), status=400, code="invalid_field", field="out_trade_no")


@pytest.mark.parametrize(
    ("amounts", "field"),
    [
        ({"goods_amount": "90.01"}, "goods_amount"),
        ({"shipping_amount": "10.01"}, "shipping_amount"),
        ({"goods_amount": Text("999999999999")}, "goods_amount"),
    ],
)
def test_more_than_is_left_is_refused(client, amounts, field):
    paid_order()

    refused(client, signed(BACK | amounts), status=422, code="refund_exceeds", field=field)


def test_an_unpaid_a_closed_and_a_refunded_order_each_say_why_not(client):
    order = paid_order()
    unpaid = place_order(client=order.client, number="T2", total_fen=100)
    closed = place_order(client=order.client, number="T3", total_fen=100)
    closing.close(order_id=closed.pk, actor="test", at=timezone.now())
    refund(client, refund_no="R0", goods_amount="90", shipping_amount="10")

    for of, code in ((unpaid, "order_not_paid"), (closed, "order_closed"), (order, "order_refunded")):
        params = BACK | {"out_trade_no": of.client_order_no, "goods_amount": "0.01", "shipping_amount": None}
        refused(client, signed(params), status=409, code=code)


def test_the_order_and_the_refund_of_another_client_are_unknown(client):
    paid_order()
    refund(client)
    make_client(name="rival", secret="rival-secret")

    other = signed(BACK | {"refund_no": "R2"}, secret="rival-secret")
    refused(client, other, token="rival-token", status=404, code="order_unknown")
    theirs = signed({"refund_no": "R1"}, secret="rival-secret")
    refused(client, theirs, token="rival-token", path=DETAIL, status=404, code="refund_unknown", field="refund_no")


def test_two_clients_may_have_the_same_refund_no(client):
    paid_order()
    refund(client)
    rival = make_client(name="rival", secret="rival-secret")
    make_customer(client=rival, points_fen=100)
    place_order(client=rival, total_fen=100)

    params = signed(BACK | {"goods_amount": "1", "shipping_amount": None}, secret="rival-secret")
    status, answer = post(client, REFUND, params, token="rival-token")

    assert (status, answer["result"]["point_refund_amount"]) == (200, 1)
    assert Refund.objects.filter(refund_no="R1").count() == 2


def test_an_order_and_a_refund_of_another_family_are_unknown_here(client):
    order = recharge()
    post(client, "/rest/order", GOODS | {"out_trade_no": "W1"})
    command = refunds.RefundCommand(goods_fen=100, refund_no="R1")
    refunds.refund(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())

    refused(client, signed(BACK | {"refund_no": "R2", "out_trade_no": "W1"}), status=404, code="order_unknown")
    refused(client, signed({"refund_no": "R1"}), path=DETAIL, status=404, code="refund_unknown", field="refund_no")


# --- who calls


@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_without_the_permission_nothing_goes_back(client, path):
    order = paid_order()
    order.client.user.user_permissions.clear()

    refused(client, signed(BACK), path=path, status=403, code="permission_missing")


@pytest.mark.parametrize("path", [REFUND, DETAIL])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": ""}, "sign_missing"),
        ({"sign": "0" * 32}, "sign_wrong"),
        ({"timestamp": "1529035200"}, "timestamp_expired"),
        ({"goods_amount": "90"}, "sign_wrong"),
    ],
    ids=str,
)
def test_an_unsigned_call_gives_nothing_back(client, path, change, code):
    paid_order()

    refused(client, {**signed(BACK), **change}, path=path, status=401, code=code)


def test_without_a_token_nothing_goes_back(client):
    paid_order()

    refused(client, signed(BACK), token="", status=401, code="token_missing")


@pytest.mark.parametrize(
    ("params", "path", "code"),
    [
        (BACK | {"goods_amount": "x"}, REFUND, "invalid_field"),
        (BACK | {"goods_amount": "91"}, REFUND, "refund_exceeds"),
        ({"refund_no": "R9"}, DETAIL, "refund_unknown"),
    ],
)
def test_refusals_answer_200_for_a_client_that_reads_only_the_body(client, params, path, code):
    paid_order(always_http_200=True)

    refused(client, signed(params), path=path, status=200, code=code)

"""A web process that dies between COMMIT and the answer: the client calls again and nothing is doubled."""

import httpx
import pytest

from payments.models import Charge, Order, Transfer
from tests.calls import body, signed
from tests.checkout.test_documents import PAY
from tests.web_process import eventually
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pay_whose_answer_was_killed_is_repeated_without_a_second_order_or_deduction(web):
    customer = make_customer(client=make_client(), points_fen=13_128)
    content = body(signed(PAY))
    headers = {"authorization": "Token shop-token", "content-type": "application/json"}

    with pytest.raises(httpx.TransportError):
        web.http.post("/api/checkout/pay/", content=content, headers=headers | {"x-die-before-reply": "1"})
    assert Order.objects.count() == 1, "the process was to die after COMMIT"
    answer = eventually(lambda: _answer(web, content, headers))

    assert answer["result"]["bb_trade_no"] == Order.objects.get().number
    assert answer["result"]["status"] == "point_paid"
    assert (Order.objects.count(), Charge.objects.count(), Transfer.objects.filter(order__isnull=False).count()) == (
        1,
        1,
        1,
    )
    assert points_fen(customer) == 0


def _answer(web, content, headers):
    try:
        response = web.http.post("/api/checkout/pay/", content=content, headers=headers)
    except httpx.TransportError:
        return None
    return response.json() if response.status_code == 200 else None

"""Orders of document 003 pushed and paid over HTTP in both directions: we call the simulator, the simulator us."""

import httpx
import pytest

from payments.models import Account, Charge, InboundNotification, Transfer
from tests.calls import body
from tests.faults.test_alipay_end_to_end import connect
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.payments.api.test_direct_orders import APPOINTMENT, GOODS, WALLET, made
from tests.payments.api.test_pushes import ALIPAY, WECHAT, asking_for, pushed
from tests.threads import at_once
from tests.web_process import eventually
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(db):
    shop = make_client()
    shop.customer = make_customer(client=shop)
    return shop


def is_finished(order):
    order.refresh_from_db()
    return order.status == "pay_finished"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("connect_gateway", "path", "code"),
    [(connect_wechat_v2, WECHAT, "NATIVE"), (connect_wechat_v3, WECHAT, "NATIVE"), (connect, ALIPAY, "QRCODE")],
    ids=["wechat v2", "wechat v3", "alipay"],
)
def test_a_recharge_and_an_appointment_are_paid_once_however_often_they_are_told_of(
    web, simulator, client, *, connect_gateway, path, code
):
    connect_gateway(simulator, notify_base=web.url)
    recharge, appointment = made(client, WALLET), made(client, APPOINTMENT)

    for order in (recharge, appointment):
        pushed(client, order, path, type=code)
        number = order.charges.get().number
        simulator.pay(number)
        eventually(lambda order=order: is_finished(order))
        (notice,) = simulator.notifications(number)
        simulator.resend(notice["id"], times=5, at_once=5)

    assert Account.objects.get(kind="balance").balance_fen == 1_110
    assert Transfer.objects.filter(kind="recharge").count() == 1
    appointment.appointment.refresh_from_db()
    assert appointment.appointment.confirmed_at == appointment.finished_at
    assert InboundNotification.objects.filter(verdict="accepted").count() == 2
    assert set(InboundNotification.objects.values_list("verdict", flat=True)) == {"accepted", "repeat"}


def test_fifty_pushes_at_once_over_http_show_one_code(web, shop, simulator, client):
    connect_wechat_v2(simulator)
    order = made(client, GOODS)

    def push():
        """Push as a client does: told to try again, it tries again."""
        for _time in range(500):
            answer = httpx.post(
                f"{web.url}{WECHAT}", content=body(asking_for(order, WECHAT)), timeout=60, trust_env=False,
                headers={"authorization": "shop-token", "content-type": "application/json"},
            )  # fmt: skip
            if answer.status_code != 503:
                return answer
        return answer

    answers = at_once(50, lambda n: push())

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert list(Charge.objects.values_list("number", "status")) == [(f"{order.number}_1", "pending")]
    assert [trade["out_trade_no"] for trade in simulator.trades()] == [f"{order.number}_1"]

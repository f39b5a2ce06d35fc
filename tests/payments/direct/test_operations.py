"""Orders of document 003 as the domain makes, pays and fulfils them."""

import datetime

import pytest
from django.db import connection
from django.utils import timezone

from payments import invariants
from payments.charges import operations as charges
from payments.charges.placement import NumberReused
from payments.customers.operations import save_customer
from payments.customers.profiles import Profile
from payments.customers.queries import CustomerFrozen, CustomerUnknown
from payments.direct import operations as direct
from payments.direct import queries
from payments.direct.operations import Booking, GatewayUnanswered, OrderCommand
from payments.direct.queries import OrderTypeWrong
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.gateways.models import Channel
from payments.inbox import operations as inbox
from payments.ledger.queries import balance_fen
from payments.models import Account, Appointment, AuditRow, Order, Transfer
from payments.orders import operations as orders
from payments.orders.models import OrderKind
from payments.orders.queries import OrderUnknown
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db

MORNING = datetime.datetime(2018, 8, 3, 1, 30, tzinfo=datetime.UTC)


@pytest.fixture
def shop():
    memory.forget_everything()
    make_memory_account()
    shop = make_client()
    shop.customer = make_customer(client=shop, points_fen=13_128)
    return shop


def command(**fields):
    return OrderCommand(**{"kind": OrderKind.GOODS, "user_id": "442090", "title": "演示", "total_fen": 1_110, **fields})


RECHARGE = command(kind=OrderKind.RECHARGE)
APPOINTMENT = command(kind=OrderKind.APPOINTMENT, booking=Booking(time=MORNING, subject="林小满"))


def place(shop, what=None, **fields):
    number = direct.place_order(client=shop, command=what or command(**fields), at=timezone.now())
    return Order.objects.get(number=number)


def push(order, *, mode=Mode.QR):
    return direct.push(order_id=order.pk, channel=Channel.MEMORY, mode=mode, actor="test", at=timezone.now())


def deliver(charge):
    raw = memory.book("memory-app").notification(charge.number)
    answer = inbox.receive(
        kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now()
    )
    assert answer.body == b"success"


def balance_of(shop):
    return Account.objects.get(customer__client=shop, kind="balance").balance_fen


def money(order):
    rows = Transfer.objects.filter(order=order).order_by("id")
    return [(row.debit.split(":")[0], row.credit.split(":")[0], row.amount_fen, row.kind) for row in rows]


class TestPlacing:
    @pytest.mark.parametrize("what", [command(), RECHARGE, APPOINTMENT], ids=lambda what: what.kind)
    def test_an_order_waits_for_cash_alone_and_takes_no_points(self, shop, what):
        at = timezone.now()

        order = place(shop, what)

        assert (order.family, order.kind, order.status) == ("payments", what.kind, "unpaid")
        assert (order.total_fen, order.cash_fen, order.points_fen, order.shipping_fen) == (1_110, 1_110, 0, 0)
        assert (order.customer, order.client, order.title) == (shop.customer, shop, "演示")
        assert abs((order.expires_at - at).total_seconds() - 1_800) < 5
        assert order.charges.count() == order.transitions.count() == 0
        row = AuditRow.objects.get(action="order.place")
        assert (row.actor, row.subject) == ("client:shop", f"order:{order.number}")

    def test_its_number_is_the_day_and_twelve_digits_and_leaves_room_for_a_hundred_attempts(self, shop):
        number = place(shop).number

        assert number.isdecimal()
        assert len(number) == 20
        assert number.startswith(f"{timezone.localtime():%Y%m%d}")

    def test_an_appointment_keeps_its_time_and_for_whom(self, shop):
        order = place(shop, APPOINTMENT)

        assert (order.appointment.appointment_time, order.appointment.appointment_for) == (MORNING, "林小满")
        assert order.appointment.confirmed_at is None

    @pytest.mark.parametrize("what", [command(), RECHARGE], ids=lambda what: what.kind)
    def test_nothing_else_has_an_appointment(self, shop, what):
        place(shop, what)

        assert Appointment.objects.count() == 0

    def test_it_waits_as_long_as_it_is_told_and_keeps_whom_to_tell(self, shop):
        at = timezone.now()

        order = place(shop, expires_in_s=300, notify_url="https://www.example.com/paid")

        assert abs((order.expires_at - at).total_seconds() - 300) < 5
        assert order.notify_url == "https://www.example.com/paid"

    def test_without_a_number_of_the_clients_own_every_call_makes_an_order(self, shop):
        assert place(shop).number != place(shop).number

    @pytest.mark.parametrize("what", [command(), RECHARGE, APPOINTMENT], ids=lambda what: what.kind)
    def test_with_one_the_same_call_again_is_the_same_order(self, shop, what):
        numbered = OrderCommand(**{**vars(what), "client_order_no": "A1"})

        first, again = place(shop, numbered), place(shop, numbered)

        assert first == again
        assert Order.objects.count() == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": OrderKind.RECHARGE},
            {"title": "other"},
            {"total_fen": 1_111},
            {"notify_url": "https://www.example.com/"},
            {"expires_in_s": 1_800},
            {"booking": Booking(time=MORNING, subject="x")},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_with_one_and_other_contents_it_is_a_conflict(self, shop, change):
        place(shop, client_order_no="A1")

        with pytest.raises(NumberReused) as refusal:
            place(shop, client_order_no="A1", **change)

        assert (refusal.value.status, refusal.value.field) == (409, "out_trade_no")
        assert Order.objects.count() == 1

    def test_for_another_customer_it_is_a_conflict(self, shop):
        make_customer(client=shop, user_id="2")
        place(shop, client_order_no="A1")

        with pytest.raises(NumberReused):
            place(shop, client_order_no="A1", user_id="2")

    def test_a_number_of_another_family_is_a_conflict(self, shop):
        place_order(client=shop, number="A1")

        with pytest.raises(NumberReused):
            place(shop, client_order_no="A1")

    def test_another_clients_number_is_free(self, shop):
        rival = make_client(name="rival")
        make_customer(client=rival)
        place(rival, client_order_no="A1")

        assert place(shop, client_order_no="A1").client == shop

    def test_the_same_time_of_an_appointment_written_in_another_zone_is_the_same(self, shop):
        shanghai = datetime.timezone(datetime.timedelta(hours=8))
        bookings = [Booking(time=time, subject="林小满") for time in (MORNING, MORNING.astimezone(shanghai))]

        first, again = (
            place(shop, kind=OrderKind.APPOINTMENT, booking=booking, client_order_no="A1") for booking in bookings
        )

        assert first == again

    def test_an_unknown_customer_is_refused_and_nothing_appears(self, shop):
        make_customer(client=make_client(name="rival"), user_id="7")

        with pytest.raises(CustomerUnknown):
            place(shop, user_id="7")

        assert Order.objects.count() == AuditRow.objects.count() == 0

    def test_a_frozen_customer_gets_nothing_new_and_what_was_made_is_told_still(self, shop):
        made = place(shop, client_order_no="A1")
        shop.customer.is_frozen = True
        shop.customer.save()

        with pytest.raises(CustomerFrozen):
            place(shop)

        assert place(shop, client_order_no="A1") == made
        assert Order.objects.count() == 1


class TestFinding:
    @pytest.mark.parametrize("what", [command(), RECHARGE, APPOINTMENT], ids=lambda what: what.kind)
    def test_an_order_is_found_by_number_and_kind(self, shop, what):
        order = place(shop, what)

        assert queries.by_number(client_id=shop.pk, number=order.number, kind=what.kind) == order

    def test_an_order_of_another_family_is_found_as_goods(self, shop):
        order = place_order(client=shop)

        assert queries.by_number(client_id=shop.pk, number=order.number, kind=OrderKind.GOODS) == order

    def test_another_kind_is_refused_by_name(self, shop):
        order = place(shop, RECHARGE)

        with pytest.raises(OrderTypeWrong) as refusal:
            queries.by_number(client_id=shop.pk, number=order.number, kind=OrderKind.GOODS)

        assert (refusal.value.status, refusal.value.field) == (422, "order_type")

    def test_another_clients_order_is_unknown(self, shop):
        rival = make_client(name="rival")
        order = place(shop)

        with pytest.raises(OrderUnknown):
            queries.by_number(client_id=rival.pk, number=order.number, kind=OrderKind.GOODS)


class TestPaying:
    def test_a_recharge_reaches_the_balance_once_however_often_it_is_told(self, shop):
        order = place(shop, RECHARGE)
        charge = push(order)
        memory.book("memory-app").pay(charge.number)

        for _time in range(3):
            deliver(charge)
            charges.reconcile(charge_id=charge.pk, at=timezone.now())

        order.refresh_from_db()
        assert order.status == "pay_finished"
        assert balance_of(shop) == 1_110
        assert money(order) == [("clearing", "escrow", 1_110, "payment"), ("escrow", "balance", 1_110, "recharge")]
        assert (balance_fen(code="escrow"), balance_fen(code="sales")) == (0, 0)

    def test_goods_are_sold(self, shop):
        order = place(shop)
        charge = push(order)
        memory.book("memory-app").pay(charge.number)

        deliver(charge)

        assert money(order) == [("clearing", "escrow", 1_110, "payment"), ("escrow", "sales", 1_110, "sale")]
        assert balance_of(shop) == 0

    def test_an_appointment_is_confirmed_when_it_is_paid_and_not_again(self, shop):
        order = place(shop, APPOINTMENT)
        charge = push(order)
        assert Appointment.objects.get().confirmed_at is None
        memory.book("memory-app").pay(charge.number)

        deliver(charge)
        confirmed = Appointment.objects.get().confirmed_at
        deliver(charge)

        order.refresh_from_db()
        assert confirmed == order.finished_at == Appointment.objects.get().confirmed_at

    def test_a_fulfilment_that_fails_leaves_the_payment_standing_and_is_tried_again(self, shop):
        refuse_to_confirm("RAISE EXCEPTION 'the calendar is away'")
        order = place(shop, APPOINTMENT)
        charge = push(order)
        memory.book("memory-app").pay(charge.number)

        deliver(charge)

        order.refresh_from_db()
        assert (order.status, order.money_flag) == ("pay_finished", "needs_attention")
        assert order.appointment.confirmed_at is None
        assert money(order) == [("clearing", "escrow", 1_110, "payment"), ("escrow", "sales", 1_110, "sale")]

        refuse_to_confirm("RETURN NEW")
        orders.fulfil_due(at=order.fulfil_due_at)

        order.refresh_from_db()
        assert order.fulfil_due_at is None
        assert Appointment.objects.get().confirmed_at == order.finished_at

    def test_what_went_back_before_it_could_be_fulfilled_is_not_fulfilled(self, shop):
        refuse_to_confirm("RAISE EXCEPTION 'the calendar is away'")
        order = place(shop, APPOINTMENT)
        charge = push(order)
        memory.book("memory-app").pay(charge.number)
        deliver(charge)
        refuse_to_confirm("RETURN NEW")
        command = RefundCommand(goods_fen=order.total_fen)

        refunds.refund(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())
        orders.fulfil_due(at=timezone.now() + datetime.timedelta(minutes=5))

        order.refresh_from_db()
        assert (order.status, order.fulfil_due_at) == ("total_refund", None)
        assert order.appointment.confirmed_at is None

    def test_pushing_again_returns_the_open_attempt(self, shop):
        order = place(shop)

        first, again = push(order), push(order)

        assert first == again
        assert first.payload == again.payload == {"qr_code": f"memory:memory-app:{order.number}_1"}

    @pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_RESPONSE])
    def test_a_gateway_that_does_not_answer_is_said_and_the_next_push_goes_on_under_the_same_number(self, shop, fault):
        order = place(shop)
        memory.book("memory-app").script(fault)

        with pytest.raises(GatewayUnanswered) as refusal:
            push(order)
        charge = push(order)

        assert refusal.value.status == 503
        assert (charge.number, charge.status) == (f"{order.number}_1", "pending")
        assert list(memory.book("memory-app").payments) == [charge.number]


def refuse_to_confirm(deed):
    """What the database does whenever an appointment is to be changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION pg_temp.confirming() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {deed}; END $$"
        )
        cursor.execute(
            "CREATE OR REPLACE TRIGGER confirming BEFORE UPDATE ON payments_appointment "
            "FOR EACH ROW EXECUTE FUNCTION pg_temp.confirming()"
        )


@pytest.mark.django_db(transaction=True)
def test_the_books_hold_after_a_payment_of_each_kind():
    memory.forget_everything()
    make_memory_account()
    shop = make_client()
    save_customer(client_id=shop.pk, profile=Profile(user_id="442090", ee_no="a09999"), actor="test")
    for what in (command(), RECHARGE, APPOINTMENT):
        charge = push(place(shop, what))
        memory.book("memory-app").pay(charge.number)
        deliver(charge)

    found = invariants.check()

    assert {finding.name: finding.examples for finding in found if finding.breaches} == {}
    assert next(finding.checked for finding in found if finding.name == "payments") == 3

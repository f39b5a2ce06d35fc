"""One charge for each attempt: which is returned again, which is replaced, which account takes the money."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries, settlement
from payments.charges.operations import Payer, RefusedByGateway
from payments.charges.queries import NoGatewayAccount
from payments.gateways import memory, registry
from payments.gateways.base import CloseResult, GatewayRefused, Mode, Outcome, PaymentRequest, PaymentState
from payments.gateways.memory import Fault, MemoryGateway
from payments.ledger.queries import balance_fen
from payments.models import Charge, GatewayAccount, GatewayDefault, Transfer
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def account():
    return make_memory_account()


@pytest.fixture
def order(account):
    client = make_client()
    make_customer(client=client)
    return place_order(client=client, total_fen=1_000)


@pytest.fixture
def no_closing(monkeypatch):
    """A gateway that closes nothing yet, as WeChat does in a payment's first five minutes."""
    monkeypatch.setattr(MemoryGateway, "close_payment", lambda *_: CloseResult(outcome=Outcome.PENDING))


def pay_by(order, mode=Mode.PAGE, **payer):
    return charges.pay_by(
        order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now(), payer=Payer(**payer)
    )


def attempts(order):
    rows = order.charges.filter(tender="memory").order_by("attempt")
    return list(rows.values_list("mode", "status", "is_replaced"))


def sweep_after(**passed):
    """Let time pass for the rows, then ask about what is due."""
    shift = datetime.timedelta(**passed)
    for charge in Charge.objects.filter(next_query_at__isnull=False):
        Charge.objects.filter(pk=charge.pk).update(next_query_at=charge.next_query_at - shift)
    return charges.sweep_due()


def test_what_cannot_be_closed_yet_is_marked_and_closed_by_the_sweep_once_the_gateway_will(order, monkeypatch):
    with monkeypatch.context() as now:
        now.setattr(MemoryGateway, "close_payment", lambda *_: CloseResult(outcome=Outcome.PENDING))
        pay_by(order, Mode.PAGE)
        pay_by(order, Mode.WAP)
        assert attempts(order) == [("page", "pending", True), ("wap", "pending", False)]
        sweep_after(minutes=1)
        assert attempts(order) == [("page", "pending", True), ("wap", "pending", False)]

    sweep_after(minutes=5)

    assert attempts(order) == [("page", "closed", True), ("wap", "pending", False)]


def test_going_back_to_an_attempt_that_is_still_open_returns_it_and_replaces_the_other(order, no_closing):
    page, wap = pay_by(order, Mode.PAGE), pay_by(order, Mode.WAP)

    again = pay_by(order, Mode.PAGE)

    assert (again.number, again.payload) == (page.number, page.payload)
    assert attempts(order) == [("page", "pending", False), ("wap", "pending", True)]
    assert wap.number != page.number


def test_a_replaced_attempt_that_is_paid_after_all_pays_and_the_new_one_is_closed(order, no_closing, monkeypatch):
    page, _wap = pay_by(order, Mode.PAGE), pay_by(order, Mode.WAP)
    memory.book("memory-app").pay(page.number)
    monkeypatch.undo()

    sweep_after(minutes=1)
    sweep_after(minutes=1)

    order.refresh_from_db()
    assert order.status == "pay_finished"
    assert attempts(order) == [("page", "succeeded", True), ("wap", "closed", False)]


def test_a_payment_inside_wechat_belongs_to_one_openid(order):
    mine, theirs = pay_by(order, Mode.JSAPI, payer_id="openid-1"), pay_by(order, Mode.JSAPI, payer_id="openid-2")

    assert mine.number != theirs.number
    assert pay_by(order, Mode.JSAPI, payer_id="openid-2").number == theirs.number
    assert memory.book("memory-app").payments[theirs.number].request.payer_id == "openid-2"


def test_a_repeated_request_is_the_same_to_the_letter_whoever_asks_from_where(order):
    memory.book("memory-app").script(Fault.LOST_RESPONSE)
    lost = pay_by(order, Mode.WAP, payer_address="192.0.2.1", return_url="https://shop.example/1")
    first = memory.book("memory-app").payments[lost.number].request

    again = pay_by(order, Mode.WAP, payer_address="198.51.100.7", return_url="https://shop.example/2")

    assert (lost.status, again.status, again.number) == ("unknown", "pending", lost.number)
    assert memory.book("memory-app").payments[lost.number].request == first
    assert (again.payer_address, again.return_url) == ("192.0.2.1", "https://shop.example/1")


def test_an_attempt_lives_two_hours_at_most_and_another_follows_it(order):
    long = timezone.now() + datetime.timedelta(days=1)
    type(order).objects.filter(pk=order.pk).update(expires_at=long)
    before = timezone.now()

    first = pay_by(order)

    assert datetime.timedelta(0) <= first.expires_at - before - charges.GATEWAY_LONGEST < datetime.timedelta(minutes=1)
    Charge.objects.filter(pk=first.pk).update(expires_at=timezone.now())
    assert pay_by(order).number != first.number


def test_a_no_to_one_of_two_requests_at_once_does_not_fail_what_the_other_one_started(order):
    started = charges.start(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())

    def meanwhile():
        charges.submit(charge_id=started.pk, at=timezone.now())
        raise GatewayRefused("OUT_TRADE_NO_USED")

    memory.book("memory-app").script(meanwhile)
    answer = charges.submit(charge_id=started.pk, at=timezone.now())

    assert (answer.status, answer.payload) == ("pending", {"url": f"memory:memory-app:{started.number}"})


def test_a_no_after_a_lost_answer_leaves_it_to_the_query(order):
    memory.book("memory-app").script(Fault.LOST_RESPONSE, Fault.REFUSED)
    lost = pay_by(order)
    memory.book("memory-app").pay(lost.number)

    refused = pay_by(order)
    charges.reconcile(charge_id=lost.pk, at=timezone.now())

    order.refresh_from_db()
    assert (lost.status, refused.status, order.status) == ("unknown", "unknown", "pay_finished")


def test_a_no_to_a_first_request_fails_the_attempt_and_the_next_has_another_number(order):
    memory.book("memory-app").script(Fault.REFUSED)
    with pytest.raises(RefusedByGateway):
        pay_by(order)

    assert pay_by(order).attempt == 2 + order.charges.exclude(tender="memory").count()
    assert [status for _mode, status, _replaced in attempts(order)] == ["failed", "pending"]


def test_a_trade_that_paid_one_attempt_never_pays_another(order, account):
    first = pay_by(order, Mode.PAGE)
    second = place_order(client=order.client, number="T2", total_fen=1_000)
    other = pay_by(second, Mode.PAGE)
    for charge in (first, other):
        state = PaymentState(
            outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=1_000, trade_no="one", gateway_status="PAID"
        )
        settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())

    second.refresh_from_db()
    other.refresh_from_db()
    assert (second.status, second.money_flag) == ("point_paid", "needs_attention")
    assert (other.status, other.paid_fen, other.last_answer) == ("pending", None, "trade one was booked before")
    assert Transfer.objects.filter(order=second).count() == 0
    assert balance_fen(code=f"clearing:{account.pk}") == -1_000


# --- which account ---------------------------------------------------------------------------------------------------


def account_for(order, mode=Mode.QR):
    return queries.account_for(client_id=order.client_id, channel="memory", mode=mode)


def test_the_choice_of_staff_comes_first_then_the_clients_own_then_the_one_for_everybody(order, account):
    own = make_memory_account(client=order.client, app_id="own")
    chosen = make_memory_account(app_id="chosen")
    other = make_memory_account(app_id="other")
    assert account_for(order) == own

    GatewayDefault.objects.create(channel="memory", mode="qr", account=other)
    assert account_for(order) == own
    GatewayDefault.objects.create(client=order.client, channel="memory", mode="qr", account=chosen)
    assert account_for(order) == chosen
    assert account_for(order, Mode.PAGE) == own
    own.delete()
    GatewayDefault.objects.filter(client=order.client).delete()
    assert account_for(order) == other
    GatewayDefault.objects.all().delete()
    assert account_for(order) == account


def test_an_account_takes_only_what_its_contract_allows(order, account):
    account.modes = ["page"]
    account.save()

    assert queries.ways_to_pay(order=order) == {"memory": {"page"}}
    assert account_for(order, Mode.PAGE) == account
    with pytest.raises(NoGatewayAccount):
        account_for(order, Mode.QR)


def test_another_clients_account_takes_nothing_of_ours(order, account):
    account.client = make_client(name="rival")
    account.save()

    assert queries.ways_to_pay(order=order) == {}
    with pytest.raises(NoGatewayAccount):
        account_for(order)


def test_there_is_one_choice_for_each_client_and_method(order, account):
    GatewayDefault.objects.create(channel="memory", mode="qr", account=account)

    with pytest.raises(IntegrityError, match="gateway_default_once"):
        GatewayDefault.objects.create(channel="memory", mode="qr", account=account)


# --- by hand ---------------------------------------------------------------------------------------------------------


def reconcile(capsys, *arguments):
    call_command("reconcile_charges", *arguments)
    return capsys.readouterr().out.splitlines()


def test_by_hand_what_is_due_is_asked_about_with_progress(order, capsys):
    charge = pay_by(order)
    memory.book("memory-app").pay(charge.number)
    assert reconcile(capsys) == ["0 to ask about", "Asked about 0."]
    Charge.objects.filter(pk=charge.pk).update(next_query_at=timezone.now())

    assert reconcile(capsys) == [
        "1 to ask about",
        f"         1/1  {charge.number}  pending → succeeded  PAID",
        "Asked about 1.",
    ]

    order.refresh_from_db()
    assert order.status == "pay_finished"


def test_by_hand_an_order_or_everything_open_is_asked_about_though_not_due(order, capsys):
    charge = pay_by(order)

    assert reconcile(capsys, order.number)[1:] == [
        f"         1/1  {charge.number}  pending → pending  WAITING",
        "Asked about 1.",
    ]
    assert reconcile(capsys, "--open", charge.number)[0] == "1 to ask about"
    with pytest.raises(CommandError, match="No attempt at cash has or belongs to the number 404"):
        reconcile(capsys, "404")


def test_by_hand_the_trouble_of_one_keeps_nobody_waiting_and_is_told(order, capsys):
    second = place_order(client=order.client, number="T2", total_fen=1_000)
    broken, fine = pay_by(order), pay_by(second)
    memory.book("memory-app").script(lambda: 1 / 0, verb="query_payment")

    with pytest.raises(CommandError, match="1 of 2 could not be asked about; they stay due"):
        reconcile(capsys, "--open")

    told = capsys.readouterr().out
    assert f"{broken.number}  ZeroDivisionError" in told
    assert f"{fine.number}  pending → pending" in told


def test_what_the_gateway_was_told_never_changes(order):
    charge = pay_by(order, Mode.JSAPI, payer_id="openid-1")

    with pytest.raises(IntegrityError, match="keeps its number"), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_charge SET payer_id = 'openid-2' WHERE id = %s", [charge.pk])


def test_wechats_h5_address_is_not_handed_out_when_it_leads_nowhere_any_more(order):
    """WeChat opens it for five minutes; the order may wait longer."""
    GatewayAccount.objects.create(kind="wechat_v2", name="wechat", app_id="wx0000000000000001")
    started = {
        mode: charges.start(order_id=order.pk, channel="wechat", mode=mode, actor="test", at=timezone.now())
        for mode in (Mode.WAP, Mode.QR)
    }

    lives = {mode: charge.expires_at - charge.created_at for mode, charge in started.items()}

    assert lives[Mode.WAP] == datetime.timedelta(minutes=5)
    assert lives[Mode.QR] > datetime.timedelta(minutes=25)


def test_a_refused_attempt_is_asked_about_once_and_what_was_paid_under_its_number_counts(order):
    """The process that had made the request was killed before it could write down that it was accepted."""
    started = charges.start(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    request = PaymentRequest(
        number=started.number, mode=Mode.PAGE, amount_fen=1_000, subject=order.title, expires_at=started.expires_at,
        notify_url="http://127.0.0.1:9/notify",
    )  # fmt: skip
    MemoryGateway(merchant_id="memory-app").create_payment(request)
    memory.book("memory-app").pay(started.number)

    refused = charges.submit(charge_id=started.pk, at=timezone.now())
    charges.sweep_due()

    order.refresh_from_db()
    started.refresh_from_db()
    assert (refused.status, started.status, order.status) == ("failed", "succeeded", "pay_finished")


def test_a_refused_attempt_that_nobody_paid_is_not_asked_about_again(order):
    memory.book("memory-app").script(Fault.REFUSED)
    with pytest.raises(RefusedByGateway):
        pay_by(order)

    asked = [charges.sweep_due() for _again in range(2)]

    assert asked == [1, 0]
    assert [status for _mode, status, _replaced in attempts(order)] == ["failed"]


def test_an_account_that_is_out_of_order_keeps_nobody_from_paying_another_way(order, account, monkeypatch):
    first = pay_by(order, Mode.QR)
    GatewayAccount.objects.filter(pk=account.pk).update(is_active=False)
    make_memory_account(app_id="another-app")
    adapter = registry.adapter

    def broken(asked):
        if asked.pk == account.pk:
            raise registry.GatewayMisconfigured
        return adapter(asked)

    monkeypatch.setattr(registry, "adapter", broken)

    second = pay_by(order, Mode.PAGE)

    first.refresh_from_db()
    assert (first.status, second.status) == ("pending", "pending")


def test_a_gateway_that_is_silent_is_asked_once_in_a_run(order):
    second = place_order(client=order.client, number="T2", total_fen=1_000)
    waiting = [pay_by(order), pay_by(second)]
    Charge.objects.update(next_query_at=timezone.now())
    book = memory.book("memory-app")
    book.script(Fault.LOST_RESPONSE, Fault.LOST_RESPONSE, verb="query_payment")

    assert charges.sweep_due() == 2

    assert [verb for verb, _number in book.calls].count("query_payment") == 1
    assert sum(Charge.objects.get(pk=charge.pk).queries for charge in waiting) == 1

"""What staff do on a customer: freeze and unfreeze them, give and take points and balance, decide on what waits."""

import pytest
from django.urls import reverse
from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.customers.queries import CustomerFrozen
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways import memory
from payments.models import AuditRow, Order, ValueRequest
from payments.orders.models import OrderKind
from tests.english_app import world as learners
from tests.partner_orders import world as partners
from tests.payments.admin.deeds import complaints, do, is_kept_to, opened, page, said
from tests.payments.admin.test_decisions import act, browser
from tests.payments.admin.test_pages import text
from tests.payments.manual.desk import nothing_moves
from tests.payments.refunds.shop import paid_order, refund, statuses
from tests.world import give_by_hand, make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db

VALUES = reverse("admin:payments_valuerequest_changelist")


@pytest.fixture
def customer():
    return make_customer(client=make_client(), points_fen=1_000, balance_fen=2_000)


@pytest.fixture
def lin():
    return browser("lin", "view_customer", "grant_value", "freeze_customer")


@pytest.fixture
def wang():
    return browser("wang", "view_valuerequest", "approve_grant")


@pytest.mark.parametrize(
    ("name", "permission"), [("value", "grant_value"), ("freeze", "freeze_customer"), ("unfreeze", "freeze_customer")]
)
def test_each_is_for_who_may_and_of_ones_own_clients(customer, name, permission):
    with nothing_moves():
        is_kept_to(customer, name, view="view_customer", permission=permission)


# --- freeze


def test_a_customer_is_frozen_and_unfrozen(customer, lin):
    assert said(do(lin, customer, "freeze", reason="stolen phone")) == ["The customer is frozen."]
    customer.refresh_from_db()
    assert customer.is_frozen

    assert said(do(lin, customer, "unfreeze", reason="it is back")) == ["The customer can buy again."]
    customer.refresh_from_db()
    assert not customer.is_frozen

    assert list(
        AuditRow.objects.filter(action__endswith="freeze").order_by("pk").values_list("actor", "action", "detail")
    ) == [
        ("user:lin", "customer.freeze", {"reason": "stolen phone"}),
        ("user:lin", "customer.unfreeze", {"reason": "it is back"}),
    ]


def test_a_form_from_before_is_refused(customer, lin):
    fields = opened(lin, customer, "freeze")
    lin.post(page(customer, "freeze"), fields)

    with nothing_moves():
        again = lin.post(page(customer, "freeze"), fields)

    assert "changed since you opened the form" in complaints(again)["__all__"][0]


def test_who_is_frozen_is_not_frozen_again(customer, lin):
    do(lin, customer, "freeze")

    with nothing_moves():
        answer = do(lin, customer, "freeze")

    assert complaints(answer)["__all__"] == [
        "Somebody else has frozen or unfrozen this customer meanwhile. See what is so now."
    ]


def test_the_button_is_for_what_can_be_done(customer, lin):
    assert "Freeze…" in text(lin.get(page(customer, "change")))
    do(lin, customer, "freeze")

    shown = text(lin.get(page(customer, "change")))
    assert ["Unfreeze…" in shown, "Freeze…" in shown.replace("Unfreeze…", "")] == [True, False]


def pay_by_points(customer):
    command = PayCommand(
        out_trade_no="F1", client_pay_id="", total_fen=500, shipping_fen=0, user_id=customer.user_id, ee_no="a09999",
        redirect_url="",
    )  # fmt: skip
    checkout.pay(client=customer.client, command=command, at=timezone.now())


def order_directly(customer):
    command = OrderCommand(kind=OrderKind.RECHARGE, user_id=customer.user_id, title="recharge", total_fen=500)
    direct.place_order(client=customer.client, command=command, at=timezone.now())


@pytest.mark.parametrize("place", [pay_by_points, order_directly], ids=["checkout", "payments"])
def test_to_who_is_frozen_nothing_new_is_sold(customer, lin, place):
    do(lin, customer, "freeze")

    with nothing_moves(), pytest.raises(CustomerFrozen):
        place(customer)


def test_to_who_is_frozen_no_pack_is_sold(lin):
    client = partners.make_partner_client(name="partner")
    customer = make_customer(client=client, balance_fen=20_000)
    address = partners.make_address(customer=customer)
    pack = partners.make_pack(client=client, price_fen=10_000)
    do(lin, customer, "freeze")

    with nothing_moves(), pytest.raises(CustomerFrozen):
        partners.buy(pack=pack, address=address)


def test_to_who_is_frozen_no_membership_is_sold(lin):
    client = learners.make_english_client()
    customer = make_customer(client=client, user_id=learners.USER_ID, balance_fen=10_000)
    month = learners.make_month(client=client)
    do(lin, customer, "freeze")

    with nothing_moves(), pytest.raises(CustomerFrozen):
        learners.init(client=client, goods={month: 1})


def test_who_is_frozen_is_still_refunded(lin):
    memory.forget_everything()
    order = paid_order()
    do(lin, order.customer, "freeze")

    assert statuses(refund(order, goods_fen=9_000, shipping_fen=1_000))[0] == "succeeded"
    assert Order.objects.get(pk=order.pk).status == "total_refund"


# --- give and take

GIVE = {"kind": "points", "direction": "in", "amount": "5.00"}


def limit(customer, fen):
    customer.client.grant_approval_above_fen = fen
    customer.client.save(update_fields=["grant_approval_above_fen"])


def test_points_are_given_at_once_up_to_the_limit(customer, lin):
    limit(customer, 500)
    assert "above ¥5.00, together with what was done alone within a day" in text(lin.get(page(customer, "value")))

    answer = do(lin, customer, "value", **GIVE)

    assert said(answer) == ["Done. The customer has now: ¥15.00 points, ¥20.00 balance."]
    made = ValueRequest.objects.get()
    assert (made.status, made.requested_by, made.reason) == ("done", "user:lin", "the customer calls")
    assert points_fen(customer) == 1_500
    assert AuditRow.objects.get(action="customer.grant").actor == "user:lin"


def test_above_the_limit_it_waits_for_a_second_person_who_approves(customer, lin, wang):
    answer = do(lin, customer, "value", **GIVE)
    assert said(answer) == ["It waits for a second person. Nothing has moved until then."]
    assert points_fen(customer) == 1_000

    answer = do(wang, ValueRequest.objects.get(), "approve", reason="seen")

    assert said(answer) == ["It is approved and booked."]
    assert points_fen(customer) == 1_500
    assert AuditRow.objects.get(action="customer.grant_approved").detail == {
        "number": ValueRequest.objects.get().number, "requested_by": "user:lin", "reason": "seen",
    }  # fmt: skip


def test_several_are_decided_on_in_the_list(customer, wang):
    for number in ("v-1", "v-2"):
        give_by_hand(customer, number=number)
    rows = [row.pk for row in ValueRequest.objects.all()]

    answer = wang.post(
        VALUES, {"action": "approve", "_selected_action": rows, "reason": "seen"}, HTTP_X_REQUEST_ID="desk-0001"
    )

    assert "2 approved." in text(wang.get(answer["Location"]))
    assert points_fen(customer) == 2_000
    of_the_request = AuditRow.objects.filter(request_id="desk-0001").order_by("pk")
    assert list(of_the_request.values_list("action", flat=True)) == ["customer.grant_approved", "customer.grant"] * 2


@pytest.mark.parametrize("where", ["list", "page"])
def test_a_second_person_may_refuse(customer, wang, where):
    made = give_by_hand(customer)

    answer = act(wang, VALUES, "refuse", made) if where == "list" else do(wang, made, "refuse")

    assert any(sentence in text(answer) for sentence in ("1 not approved.", "It is not approved: nothing has moved."))
    made.refresh_from_db()
    assert (made.status, made.decided_by, points_fen(customer)) == ("refused", "user:wang", 1_000)


@pytest.mark.parametrize("where", ["list", "page"])
@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_whoever_asked_is_told_to_ask_a_colleague(customer, where, decision):
    made = give_by_hand(customer)
    lin = browser("lin", "view_valuerequest", "approve_grant")

    with nothing_moves():
        answer = act(lin, VALUES, decision, made) if where == "list" else do(lin, made, decision)

    assert "Whoever asked for this cannot decide on it. Ask a colleague." in text(answer)


def test_without_a_reason_or_the_permission_nothing_is_decided(customer, wang):
    made = give_by_hand(customer)
    with nothing_moves():
        act(wang, VALUES, "approve", made, reason=" ")
        act(browser("zhao", "view_valuerequest", "grant_value"), VALUES, "approve", made)
        is_kept_to(made, "approve", view="view_valuerequest", permission="approve_grant")


def test_more_than_there_is_is_not_taken(customer, lin):
    with nothing_moves():
        answer = do(lin, customer, "value", kind="points", direction="out", amount="10.01")

    assert complaints(answer) == {"amount": ["The customer has only ¥10.00: no more can be taken."]}


def test_a_form_sent_twice_gives_once(customer, lin):
    limit(customer, None)
    fields = opened(lin, customer, "value", **GIVE)

    answers = [lin.post(page(customer, "value"), fields, follow=True) for _time in range(2)]

    assert said(answers[0]) == said(answers[1]) == ["Done. The customer has now: ¥15.00 points, ¥20.00 balance."]
    assert (points_fen(customer), ValueRequest.objects.count()) == (1_500, 1)


def test_a_form_filled_in_otherwise_begins_anew(customer, lin):
    limit(customer, None)
    fields = opened(lin, customer, "value", **GIVE)
    lin.post(page(customer, "value"), fields)

    with nothing_moves():
        answer = lin.post(page(customer, "value"), fields | {"amount": "6"})

    assert complaints(answer)["__all__"][0].startswith("This form was sent before, filled in otherwise.")
    assert fields["number"] not in answer.content.decode()


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"amount": "0"}, "amount"), ({"amount": ""}, "amount"), ({"amount": "-1"}, "amount"),
        ({"amount": "1e3"}, "amount"), ({"amount": "5.001"}, "amount"), ({"kind": "cash"}, "kind"),
        ({"direction": "up"}, "direction"), ({"reason": "a\nb"}, "reason"), ({"reason": "x" * 201}, "reason"),
    ],
)  # fmt: skip
def test_what_cannot_be_booked_names_its_field(customer, lin, entered, field):
    with nothing_moves():
        answer = do(lin, customer, "value", **GIVE | entered)

    assert list(complaints(answer)) == [field]


@pytest.mark.parametrize("number", ["", "v-1", "x" * 40, "v-\x00"])
def test_a_number_that_no_form_has_begins_anew(customer, lin, number):
    with nothing_moves():
        answer = do(lin, customer, "value", **GIVE | {"number": number})

    assert complaints(answer)["__all__"][0].startswith("This form was sent before, filled in otherwise.")

"""Staff confirm a payment by hand, with a file, and a colleague decides on it."""

import datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.gateways import memory
from payments.models import AuditRow, HandConfirmation, InboundNotification
from tests.payments.admin.deeds import complaints, do, foreigner, is_kept_to, opened, page, said
from tests.payments.admin.test_decisions import act, browser
from tests.payments.admin.test_pages import text
from tests.payments.manual.desk import book, charge_of, nothing_moves, silence, waiting_order
from tests.world import PNG, confirm_by_hand, make_staff

pytestmark = pytest.mark.django_db

LIST = reverse("admin:payments_handconfirmation_changelist")


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def order():
    return waiting_order()


@pytest.fixture
def lin():
    return browser("lin", "view_charge", "request_confirmation")


@pytest.fixture
def wang():
    return browser("wang", "view_handconfirmation", "approve_confirmation")


def entered(content=PNG, name="流水.png", **changes):
    clock = f"{timezone.localtime(timezone.now()):%Y-%m-%dT%H:%M:%S}"
    file = SimpleUploadedFile(name, content, content_type="text/html")
    return {"trade_no": "bank-1", "paid_at": clock, "evidence": file} | changes


def test_a_payment_is_confirmed_and_pays_its_order(order, lin):
    silence()

    answer = do(lin, charge_of(order), "confirm", **entered())

    order.refresh_from_db()
    assert said(answer) == [f"The payment is booked, and pays order {order.number}."]
    made = HandConfirmation.objects.get()
    assert (made.evidence_name, made.evidence_type, bytes(made.evidence)) == ("流水.png", "image/png", PNG)
    assert (order.status, made.status, made.requested_by) == ("pay_finished", "done", "user:lin")
    assert AuditRow.objects.get(action="charge.confirm_request").detail["reason"] == "the customer calls"


def test_the_page_says_that_the_bill_has_the_last_word(order, lin):
    shown = text(lin.get(page(charge_of(order), "confirm")))

    assert "if the money never came, reconciliation shows it as missing there" in shown
    assert "only if the gateway says otherwise" in shown


def test_a_gateway_that_says_otherwise_is_quoted_and_nothing_moves(order, lin, wang):
    with nothing_moves():
        answer = do(lin, charge_of(order), "confirm", **entered())
    (complaint,) = complaints(answer)["is_acknowledged"]
    assert complaint == (
        "The gateway was asked and says otherwise: WAITING. If your evidence is stronger, tick this and choose the "
        "file again; a second person then decides."
    )

    answer = do(lin, charge_of(order), "confirm", **entered(is_acknowledged="on"))

    assert said(answer) == ["The confirmation waits for a second person. Nothing is booked until then."]
    assert HandConfirmation.objects.get().status == "to_approve"
    answer = do(wang, HandConfirmation.objects.get(), "approve", reason="seen")
    assert said(answer) == [f"The payment is booked, and pays order {order.number}."]


def test_each_is_for_who_may_and_of_ones_own_clients(order):
    with nothing_moves():
        is_kept_to(charge_of(order), "confirm", view="view_charge", permission="request_confirmation")


@pytest.mark.parametrize("name", ["approve", "refuse"])
def test_each_decision_is_for_who_may_and_of_ones_own_clients(order, name):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    with nothing_moves():
        is_kept_to(made, name, view="view_handconfirmation", permission="approve_confirmation")


@pytest.mark.parametrize("where", ["list", "page"])
@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_second_person_decides_in_the_list_or_on_the_page(order, wang, decision, where):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)

    answer = act(wang, LIST, decision, made) if where == "list" else do(wang, made, decision)

    made.refresh_from_db()
    order.refresh_from_db()
    expected = ("done", "pay_finished") if decision == "approve" else ("refused", "point_paid")
    assert (made.status, order.status) == expected
    assert made.decided_by == "user:wang"
    assert answer.status_code == 200


def test_whoever_asked_cannot_decide_nor_somebody_without_a_reason(order, wang):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    lin = browser("lin", "view_handconfirmation", "approve_confirmation")

    with nothing_moves():
        own = act(lin, LIST, "approve", made)
        silent = act(wang, LIST, "approve", made, reason=" ")
        act(browser("zhao", "view_handconfirmation", "request_confirmation"), LIST, "approve", made)

    assert "Whoever asked for this cannot decide on it." in text(own)
    assert "Give a reason" in text(silent)


def test_a_foreign_row_in_the_list_is_not_decided_on(order):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)

    with nothing_moves():
        act(foreigner("view_handconfirmation", "approve_confirmation"), LIST, "approve", made)


def test_a_form_sent_twice_is_one_confirmation(order, lin):
    silence()
    fields = opened(lin, charge_of(order), "confirm", **entered())
    lin.post(page(charge_of(order), "confirm"), fields)
    fields["evidence"].seek(0)

    with nothing_moves():
        again = lin.post(page(charge_of(order), "confirm"), fields, follow=True)

    assert said(again)[-1] == f"The payment is booked, and pays order {order.number}."


def test_a_form_from_before_a_colleague_confirmed_is_refused(order, lin):
    fields = opened(lin, charge_of(order), "confirm", **entered())
    silence()
    confirm_by_hand(charge_of(order), actor="user:zhao")

    with nothing_moves():
        answer = lin.post(page(charge_of(order), "confirm"), fields)

    assert complaints(answer)["__all__"] == [
        "This payment is booked already, or is none at a gateway: there is nothing to confirm."
    ]


DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trade_no": ""}, "trade_no"), ({"trade_no": "x" * 65}, "trade_no"), ({"trade_no": "a\nb"}, "trade_no"),
        ({"paid_at": ""}, "paid_at"), ({"paid_at": "yesterday"}, "paid_at"),
        ({"paid_at": "2099-01-01T00:00"}, "paid_at"),
        ({"paid_at": "0001-01-01T00:00"}, "paid_at"), ({"evidence": ""}, "evidence"), ({"reason": ""}, "reason"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_names_its_field(order, lin, changes, field):
    with nothing_moves():
        answer = do(lin, charge_of(order), "confirm", **entered() | changes)

    assert list(complaints(answer)) == [field]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "Choose a PDF, PNG or JPEG file."),
        (PNG + bytes(5 * 1024 * 1024), "Choose a file of at most 5 MB."),
    ],
    ids=["svg", "large"],
)
def test_other_files_are_not_taken(order, lin, content, sentence):
    with nothing_moves():
        answer = do(lin, charge_of(order), "confirm", **entered(content=content))

    assert complaints(answer) == {"evidence": [sentence]}


def test_a_file_of_two_megabytes_is_taken(order, lin):
    silence()

    do(lin, charge_of(order), "confirm", **entered(content=PNG + bytes(2 * 1024 * 1024)))

    assert HandConfirmation.objects.get().status == "done"


# --- the file


def evidence_of(made):
    return reverse("admin:payments_handconfirmation_evidence", args=[made.pk])


def test_the_file_is_saved_and_never_shown(order, wang):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)

    answer = wang.get(evidence_of(made))

    assert answer.content == PNG
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Disposition"] == 'attachment; filename="bank.png"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "private, no-store" in answer["Cache-Control"]


def test_the_file_is_for_who_sees_persons_or_has_to_judge_it(order, client):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    client.force_login(make_staff("looker", "view_handconfirmation"))

    assert client.get(evidence_of(made)).status_code == 403
    assert browser("persons", "view_handconfirmation").get(evidence_of(made)).status_code == 200
    assert browser("blind", "approve_confirmation").get(evidence_of(made)).status_code == 403
    assert foreigner("view_handconfirmation", "approve_confirmation").get(evidence_of(made)).status_code == 404
    assert browser("sender", "view_handconfirmation").post(evidence_of(made)).status_code == 405
    client.logout()
    assert client.get(evidence_of(made)).status_code == 302


def test_the_list_and_the_pages_do_not_read_the_files(order, wang):
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    with CaptureQueriesContext(connection) as asked:
        for address in (LIST, page(made, "change"), page(made, "approve")):
            assert wang.get(address).status_code == 200

    assert not [query["sql"] for query in asked if '"evidence",' in query["sql"] or '"evidence" ' in query["sql"]]


# --- a notification processed again


def refused_notification(order):
    charge = charge_of(order)
    book().pay(charge.number)
    raw = book().notification(charge.number)
    return InboundNotification.objects.create(
        gateway="memory", verdict="bad_signature", headers=dict(raw.headers), body=raw.body, charge=charge
    )


def test_a_notification_is_processed_again(order):
    row = refused_notification(order)
    lin = browser("lin", "view_inboundnotification", "replay_inboundnotification")

    answer = do(lin, row, "replay")

    order.refresh_from_db()
    assert order.status == "pay_finished"
    assert said(answer) == [f"bad signature → accepted. {charge_of(order).number}: waiting for the payer → succeeded."]
    assert AuditRow.objects.get(action="notification.replay").detail["reason"] == "the customer calls"
    answer = do(lin, row, "replay")
    assert said(answer) == [f"accepted. Charge {charge_of(order).number} stays as it is: succeeded."]


def test_several_notifications_are_processed_again_in_the_list(order):
    row = refused_notification(order)
    lin = browser("lin", "view_inboundnotification", "replay_inboundnotification")

    answer = act(lin, reverse("admin:payments_inboundnotification_changelist"), "replay", row)

    assert "1 processed again." in text(answer)
    order.refresh_from_db()
    assert order.status == "pay_finished"


def test_a_notification_is_processed_again_by_who_may_and_of_ones_own_clients(order):
    row = refused_notification(order)

    with nothing_moves():
        is_kept_to(row, "replay", view="view_inboundnotification", permission="replay_inboundnotification")

"""Staff give levels: what paid packs support stays beside it."""

import pytest

from partner_orders.models import CustomerLevel, UserLevel
from payments.models import AuditRow
from tests.partner_orders.world import buy, make_level, make_pack, make_partner_client
from tests.payments.admin.forms import listing, page
from tests.payments.admin.test_decisions import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def lin():
    return browser(
        "lin", "view_customerlevel", "add_customerlevel", "change_customerlevel", "view_userlevel", "change_userlevel"
    )


@pytest.fixture
def ladder(client_):
    return {code: make_level(client=client_, code=code, rank=rank) for code, rank in (("V3", 3), ("V5", 5), ("V7", 7))}


def level_of(customer):
    return CustomerLevel.objects.select_related("level").get(customer=customer).level


def test_a_level_that_is_given_is_the_customer_s_level(lin, customer, ladder):
    answer = lin.post(listing(CustomerLevel) + "add/", {"customer": customer.pk, "given": ladder["V3"].pk})

    assert answer.status_code == 302
    assert level_of(customer) == ladder["V3"]
    row = AuditRow.objects.get(action="customer_level.add")
    assert row.subject == f"customer_level:{CustomerLevel.objects.get().pk}"


@pytest.mark.parametrize(("given", "level"), [("V3", "V5"), ("V7", "V7"), ("", "V5")])
def test_the_highest_of_what_was_given_and_what_was_bought_counts(lin, address, ladder, given, level):
    buy(pack=make_pack(client=ladder["V5"].client, level=ladder["V5"]), address=address)
    standing = CustomerLevel.objects.get(customer=address.customer)

    lin.post(page(standing), {"given": ladder[given].pk if given else ""})

    assert level_of(address.customer) == ladder[level]


def test_a_level_that_is_taken_away_again_is_gone(lin, customer, ladder):
    lin.post(listing(CustomerLevel) + "add/", {"customer": customer.pk, "given": ladder["V7"].pk})

    lin.post(page(CustomerLevel.objects.get()), {"given": "", "level": ladder["V7"].pk})

    assert level_of(customer) is None


def test_another_client_s_level_is_refused(lin, customer):
    level = make_level(client=make_partner_client(name="other"))

    answer = lin.post(listing(CustomerLevel) + "add/", {"customer": customer.pk, "given": level.pk})

    assert list(answer.context["adminform"].form.errors) == ["given"]
    assert not CustomerLevel.objects.exists()


@pytest.mark.parametrize("customer_id", ["", "x", "0", "9" * 30, "\x00"])
def test_who_is_no_customer_is_refused(lin, ladder, customer_id):
    answer = lin.post(listing(CustomerLevel) + "add/", {"customer": customer_id, "given": ladder["V3"].pk})

    assert list(answer.context["adminform"].form.errors) == ["customer"]
    assert not CustomerLevel.objects.exists()


def test_a_customer_who_has_one_is_not_added_again(lin, customer, ladder):
    for _time in range(2):
        answer = lin.post(listing(CustomerLevel) + "add/", {"customer": customer.pk, "given": ladder["V3"].pk})

    assert list(answer.context["adminform"].form.errors) == ["customer"]


def test_they_are_found_by_the_customer(lin, customer, ladder):
    CustomerLevel.objects.create(customer=customer, given=ladder["V3"], level=ladder["V3"])

    found = [
        len(lin.get(listing(CustomerLevel), {"q": term}).context["cl"].result_list)
        for term in (customer.user_id, customer.phone, "1")
    ]

    assert found == [1, 1, 0]


def test_a_step_of_the_ladder_keeps_its_place(lin, ladder):
    lin.post(page(ladder["V3"]), {"code": "V3", "title": "gold", "rank": "9", "client": "99"})

    step = UserLevel.objects.get(code="V3")
    assert (step.title, step.rank, step.client_id) == ("gold", 3, ladder["V5"].client_id)


def test_a_step_cannot_take_the_name_of_another_one(lin, ladder):
    answer = lin.post(page(ladder["V3"]), {"code": "V5", "title": ""})

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    ladder["V3"].refresh_from_db()
    assert ladder["V3"].code == "V3"

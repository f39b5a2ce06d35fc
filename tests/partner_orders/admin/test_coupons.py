"""Staff make coupons and give them: to all who are named, or to nobody."""

import uuid

import pytest

from partner_orders import giving
from partner_orders.models import Coupon, CustomerCoupon
from payments.models import AuditRow
from tests.partner_orders.world import USER_ID, buy, make_coupon, make_partner, make_partner_client
from tests.payments.admin.forms import carried, errors, listing, page, send
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.threads import at_once

pytestmark = pytest.mark.django_db

MAY = ("view_coupon", "add_coupon", "change_coupon", "view_customercoupon", "add_customercoupon")
TERMS = {
    "title": "新人券",
    "off_fen": "50",
    "min_price_fen": "",
    "valid_from": "2022-01-01",
    "valid_until": "2022-01-31",
}


@pytest.fixture
def lin():
    return browser("lin", *MAY)


@pytest.fixture
def coupon(client_):
    return Coupon.objects.create(
        client=client_, title="新人券", off_fen=5_000, valid_from="2022-01-01", valid_until="2099-01-31"
    )


@pytest.fixture
def two(customer):
    return [customer, make_partner(client=customer.client, user_id="442091")]


def test_terms_are_entered_in_whole_yuan(lin, client_):
    lin.post(listing(Coupon) + "add/", TERMS | {"client": client_.pk, "min_price_fen": "100"})

    made = Coupon.objects.get()
    assert (made.off_fen, made.min_price_fen) == (5_000, 10_000)
    assert AuditRow.objects.get(action="coupon.add").subject == f"coupon:{made.pk}"


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"off_fen": "0"}, "off_fen"),
        ({"off_fen": "1.50"}, "off_fen"),
        ({"off_fen": ""}, "off_fen"),
        ({"min_price_fen": "0.5"}, "min_price_fen"),
        ({"valid_until": "2021-12-31"}, "valid_until"),
        ({"valid_from": "x"}, "valid_from"),
        ({"client": "9" * 30}, "client"),
    ],
)
def test_terms_that_cannot_be_are_refused_at_their_field(lin, client_, entered, field):
    answer = lin.post(listing(Coupon) + "add/", TERMS | {"client": client_.pk} | entered)

    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Coupon.objects.exists()


def test_the_list_counts_what_was_given_used_and_is_free(lin, address, pack, coupon, django_assert_num_queries):
    giving.give(coupon_id=coupon.pk, user_ids=[USER_ID], copies=3, batch=uuid.uuid4(), actor="test")
    buy(pack=pack, address=address, coupon=CustomerCoupon.objects.first())
    lin.get(listing(Coupon))

    with django_assert_num_queries(6):  # session, user, their rights, their groups' and clients, the list
        shown = lin.get(listing(Coupon))
    make_coupon(customer=address.customer)
    with django_assert_num_queries(6):
        lin.get(listing(Coupon))

    (row,) = shown.context["cl"].result_list
    assert (row.number_given, row.number_used) == (3, 1)
    assert [int(cell) for cell in text(shown).split() if cell in {"1", "2", "3"}][:3] == [3, 1, 2]


class TestGive:
    def test_every_customer_is_given_so_many(self, lin, coupon, two):
        answer = send(lin, page(coupon, "give"), {"user_ids": f" {USER_ID}\r\n\r\n442091\n{USER_ID}", "copies": "2"})

        assert answer.redirect_chain == [(page(coupon), 302)]
        assert "4 coupons were given." in text(answer)
        assert sorted(CustomerCoupon.objects.values_list("customer", flat=True)) == sorted(
            2 * [customer.pk for customer in two]
        )
        row = AuditRow.objects.get(action="coupon.give")
        assert (row.actor, row.subject) == ("user:lin", f"coupon:{coupon.pk}")
        assert row.detail == {"customers": sorted(customer.pk for customer in two), "copies": 2}

    def test_with_an_unknown_one_nobody_is_given_any_and_each_is_named(self, lin, coupon, customer):
        make_partner(client=make_partner_client(name="other"), user_id="theirs")

        answer = send(lin, page(coupon, "give"), {"user_ids": f"{USER_ID}\nnobody\ntheirs", "copies": "1"})

        (sentence,) = errors(answer)["user_ids"]
        assert "nobody, theirs" in sentence
        assert 'name="user_ids"' in answer.content.decode()
        assert (CustomerCoupon.objects.count(), AuditRow.objects.filter(action="coupon.give").count()) == (0, 0)

    def test_a_form_sent_twice_gives_once(self, lin, coupon, customer):
        fields = carried(lin.get(page(coupon, "give"))) | {"user_ids": USER_ID, "copies": "2"}

        answers = [lin.post(page(coupon, "give"), fields) for _time in range(2)]

        assert [answer.status_code for answer in answers] == [302, 302]
        assert (CustomerCoupon.objects.count(), AuditRow.objects.filter(action="coupon.give").count()) == (2, 1)

    @pytest.mark.django_db(transaction=True)
    def test_a_double_click_gives_once(self, coupon, customer):
        lin = browser("lin", *MAY)
        fields = carried(lin.get(page(coupon, "give"))) | {"user_ids": USER_ID, "copies": "2"}

        answers = at_once(2, lambda n: lin.post(page(coupon, "give"), fields))

        assert [answer.status_code for answer in answers] == [302, 302]
        assert (CustomerCoupon.objects.count(), AuditRow.objects.filter(action="coupon.give").count()) == (2, 1)

    def test_two_forms_give_twice(self, lin, coupon, customer):
        for _time in range(2):
            send(lin, page(coupon, "give"), {"user_ids": USER_ID, "copies": "1"})

        assert CustomerCoupon.objects.count() == 2

    @pytest.mark.parametrize(
        "others",
        [
            {"copies": "3"},
            {"copies": "1"},
            {"user_ids": "442091"},
            {"user_ids": f"{USER_ID}\n442091"},
        ],
        ids=["more to each", "less to each", "somebody else", "one more"],
    )
    def test_a_form_sent_again_with_other_contents_gives_nothing_and_begins_anew(self, lin, coupon, two, others):
        fields = carried(lin.get(page(coupon, "give"))) | {"user_ids": USER_ID, "copies": "2"}
        lin.post(page(coupon, "give"), fields)

        answer = lin.post(page(coupon, "give"), fields | others)

        assert errors(answer) == {"__all__": [giving.BatchReused().sentence()]}
        assert carried(answer)["batch"] != fields["batch"]
        assert (CustomerCoupon.objects.count(), AuditRow.objects.filter(action="coupon.give").count()) == (2, 1)

    @pytest.mark.parametrize(
        ("entered", "field"),
        [
            ({"user_ids": ""}, "user_ids"),
            ({"user_ids": " \n "}, "user_ids"),
            ({"user_ids": "\x00"}, "user_ids"),
            ({"user_ids": "\n".join(map(str, range(501)))}, "user_ids"),
            ({"user_ids": "x" * 40_000}, "user_ids"),
            ({"copies": "0"}, "copies"),
            ({"copies": "11"}, "copies"),
            ({"copies": "9" * 30}, "copies"),
            ({"copies": ""}, "copies"),
            ({"batch": "x"}, "__all__"),
            ({"batch": ""}, "__all__"),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field(self, lin, coupon, customer, entered, field):
        answer = send(lin, page(coupon, "give"), {"user_ids": USER_ID, "copies": "1"} | entered)

        assert answer.status_code == 200
        assert list(errors(answer)) == [field]
        assert not CustomerCoupon.objects.exists()


def test_a_coupon_in_a_hand_tells_its_state_and_leads_to_the_order_that_holds_it(lin, customer, address, pack):
    own = make_coupon(customer=customer)
    free = make_coupon(customer=customer)
    document = buy(pack=pack, address=address, coupon=own)

    shown = lin.get(listing(CustomerCoupon))

    assert [row.uid for row in shown.context["cl"].result_list] == [free.uid, own.uid]
    assert f'href="{page(document)}"' in shown.content.decode()
    assert document.order.number in text(lin.get(page(own)))
    assert " can be used " in text(lin.get(page(free)))


@pytest.mark.parametrize("by", ["uid", "user_id", "phone"])
def test_a_coupon_in_a_hand_is_found(lin, customer, by):
    own = make_coupon(customer=customer)
    make_coupon(customer=make_partner(client=customer.client, user_id="442091", phone="1"))
    term = own.uid if by == "uid" else getattr(customer, by)

    assert list(lin.get(listing(CustomerCoupon), {"q": term}).context["cl"].result_list) == [own]


def test_a_coupon_leads_to_those_in_hands(lin, customer):
    own = make_coupon(customer=customer)
    make_coupon(customer=customer)
    path = f"{listing(CustomerCoupon)}?coupon__id__exact={own.coupon_id}"

    assert path in lin.get(listing(Coupon)).content.decode()
    assert list(lin.get(path).context["cl"].result_list) == [own]

"""Staff keep goods and agents: what was sold stays as it was sold."""

import pytest

from english_app.models import Agent, Good, GoodKind, OrderLine
from payments.models import AuditRow
from tests.english_app.world import buy, make_agent, make_english_client, make_item, make_month
from tests.payments.admin.forms import listing, page
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.world import make_client

pytestmark = pytest.mark.django_db

MAY = ("view_good", "add_good", "change_good", "view_agent", "add_agent", "change_agent")
MONTH = {"title": "会员月卡", "kind": "membership", "periods": "1", "period_unit": "month", "price_fen": "29.90",
         "is_on_sale": "on"}  # fmt: skip
CARD = {"title": "单词卡", "kind": "item", "periods": "0", "period_unit": "", "price_fen": "9.9", "is_on_sale": "on"}


@pytest.fixture
def lin():
    return browser("lin", *MAY)


def form_errors(answer):
    return list(answer.context["adminform"].form.errors)


@pytest.mark.parametrize(
    ("entered", "kept"),
    [(MONTH, ("会员月卡", "membership", 1, "month", 2_990, True)), (CARD, ("单词卡", "item", 0, "", 990, True))],
    ids=["membership", "item"],
)
def test_a_good_is_entered_in_yuan_and_kept_in_fen(lin, shop, entered, kept):
    answer = lin.post(listing(Good) + "add/", entered | {"client": shop.pk}, follow=True)

    assert answer.redirect_chain == [(listing(Good), 302)]
    made = Good.objects.get()
    assert (made.title, made.kind, made.periods, made.period_unit, made.price_fen, made.is_on_sale) == kept
    row = AuditRow.objects.get(action="english_good.add")
    assert (row.actor, row.subject) == ("user:lin", f"english_good:{made.pk}")


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 129}, "title"),
        ({"title": "\x00"}, "title"),
        ({"kind": "x"}, "kind"),
        ({"price_fen": ""}, "price_fen"),
        ({"price_fen": "0"}, "price_fen"),
        ({"price_fen": "-1"}, "price_fen"),
        ({"price_fen": "1.999"}, "price_fen"),
        ({"price_fen": "1e3"}, "price_fen"),
        ({"price_fen": "２９"}, "price_fen"),
        ({"price_fen": "100000000.01"}, "price_fen"),
        ({"periods": "-1"}, "periods"),
        ({"periods": "1201"}, "periods"),
        ({"periods": "x"}, "periods"),
        ({"period_unit": "year"}, "period_unit"),
        ({"periods": "0"}, "__all__"),
        ({"period_unit": ""}, "__all__"),
        ({"kind": "item"}, "__all__"),
        ({"client": ""}, "client"),
        ({"client": "9" * 30}, "client"),
    ],
)
def test_what_cannot_be_sold_is_refused_at_its_field(lin, shop, entered, field):
    answer = lin.post(listing(Good) + "add/", MONTH | {"client": shop.pk} | entered)

    assert form_errors(answer) == [field]
    assert not Good.objects.exists()


def test_only_clients_of_the_app_can_have_goods_and_agents(lin, shop):
    other = make_client(name="other")

    answers = [
        lin.post(listing(Good) + "add/", MONTH | {"client": other.pk}),
        lin.post(listing(Agent) + "add/", {"client": other.pk, "title": "校园渠道"}),
    ]

    assert [form_errors(answer) for answer in answers] == [["client"], ["client"]]
    assert (Good.objects.count(), Agent.objects.count()) == (0, 0)


def test_a_price_is_shown_as_it_is_entered_and_what_was_not_changed_is_no_change(lin, month):
    assert 'name="price_fen" value="29.00"' in lin.get(page(month)).content.decode()

    lin.post(page(month), MONTH | {"price_fen": "29", "title": "会员季卡", "periods": "3"})

    assert AuditRow.objects.get(action="english_good.change").detail == {
        "changes": {"title": ["会员月卡", "会员季卡"], "periods": ["1", "3"]}
    }


def test_a_good_stays_its_client_s(lin, shop, month):
    other = make_english_client(name="other", app_id=2)

    lin.post(page(month), MONTH | {"client": other.pk, "title": "new"})

    month.refresh_from_db()
    assert (month.title, month.client) == ("new", shop)


def test_what_was_sold_stays_as_it_was_sold(lin, learner, month):
    buy(client=learner.client, goods={month: 1})

    lin.post(page(month), CARD | {"title": "new", "price_fen": "1"})

    month.refresh_from_db()
    line = OrderLine.objects.get()
    assert (month.title, month.kind, month.price_fen) == ("new", GoodKind.ITEM, 100)
    assert (line.title, line.kind, line.periods, line.price_fen) == ("会员月卡", GoodKind.MEMBERSHIP, 1, 2_900)


def test_a_good_is_taken_off_sale_and_nobody_deletes_it(lin, learner, month):
    buy(client=learner.client, goods={month: 1})
    boss = browser("boss", *MAY, "delete_good")

    lin.post(page(month), {name: value for name, value in MONTH.items() if name != "is_on_sale"})

    assert boss.post(page(month, "delete"), {"post": "yes"}).status_code == 403
    month.refresh_from_db()
    assert not month.is_on_sale


@pytest.mark.parametrize(
    ("term", "found"), [("会员月卡", ["会员月卡"]), ("id", ["单词卡"]), ("卡", []), ("9" * 30, []), ("²", [])]
)
def test_goods_are_found_by_id_and_title(lin, shop, month, term, found):
    card = make_item(client=shop)

    shown = lin.get(listing(Good), {"q": str(card.pk) if term == "id" else term})

    assert [good.title for good in shown.context["cl"].result_list] == found


def test_the_list_tells_how_long_a_good_lasts(lin, shop):
    for periods, unit in ((1, "month"), (3, "month"), (1, "day"), (7, "day")):
        make_month(client=shop, periods=periods, period_unit=unit)

    shown = text(lin.get(listing(Good)))

    for expected in (" 1 month ", " 3 months ", " 1 day ", " 7 days ", "¥29.00"):
        assert expected in shown


class TestAgents:
    def test_an_agent_is_made_and_renamed(self, lin, shop):
        lin.post(listing(Agent) + "add/", {"client": shop.pk, "title": "校园渠道"})
        made = Agent.objects.get()

        lin.post(page(made), {"title": "地推渠道"})

        made.refresh_from_db()
        assert (made.client, made.title) == (shop, "地推渠道")
        assert [row.action for row in AuditRow.objects.filter(subject=f"english_agent:{made.pk}").order_by("pk")] == [
            "english_agent.add", "english_agent.change",
        ]  # fmt: skip

    def test_a_client_has_one_of_a_title(self, lin, shop):
        make_agent(client=shop)
        second = make_agent(client=shop, title="地推渠道")

        answers = [
            lin.post(listing(Agent) + "add/", {"client": shop.pk, "title": "校园渠道"}),
            lin.post(page(second), {"title": "校园渠道"}),
        ]

        assert [list(form_errors(answer)) for answer in answers] == [["__all__"], ["__all__"]]
        assert sorted(Agent.objects.values_list("title", flat=True)) == ["地推渠道", "校园渠道"]

    def test_another_client_may_have_one_of_the_same_title(self, lin, shop):
        make_agent(client=make_english_client(name="other", app_id=2))

        lin.post(listing(Agent) + "add/", {"client": shop.pk, "title": "校园渠道"})

        assert Agent.objects.count() == 2

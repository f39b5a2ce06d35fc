"""Staff find an English order, see all of it, and decide on its return."""

import functools

import pytest
from django.utils import timezone, translation

from english_app import deliveries, operations, returns
from english_app.models import EnglishOrder, Grant
from payments.models import AuditRow, Refund
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.english_app.world import (
    buy,
    deliver_in_vain,
    document,
    init,
    make_agent,
    make_english_client,
    make_item,
    make_learner,
    make_something_of_every_kind,
)
from tests.payments.admin.forms import carried, errors, listing, page, send
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text as spaced
from tests.threads import at_once
from tests.world import balance_fen

pytestmark = pytest.mark.django_db

MAY = ("view_englishorder", "decide_return", "deliver_again", "view_order", "view_refund")
REASON = {"reason": "已经使用过"}


@pytest.fixture
def lin():
    return browser("lin", *MAY)


@pytest.fixture
def bought(learner, month):
    return buy(client=learner.client, goods={month: 1, make_item(client=learner.client): 2}, imeil="866000000000002")


@pytest.fixture
def asked(bought):
    return ask(bought)


def ask(bought):
    returns.ask(order_id=bought.order_id, actor="client:english", at=timezone.now())
    return document(bought.order)


def text(answer):
    return " ".join(spaced(answer).split())


def rows(answer):
    return list(answer.context["cl"].result_list)


def state(row):
    now = document(row.order)
    return (
        now.delivery,
        now.returning,
        balance_fen(row.order.customer),
        Grant.objects.filter(taken_back_at=None).count(),
    )


def deeds(name):
    return AuditRow.objects.filter(action=f"english.{name}")


class TestList:
    def test_it_tells_the_one_status_that_the_wire_tells(self, lin, learner, month):
        purchase = init(client=learner.client, goods={month: 1}).purchase
        assert "waiting for its payment" in text(lin.get(listing(EnglishOrder)))
        operations.pay(client=learner.client, user_id=learner.user_id, number=purchase.number, at=timezone.now())
        deliveries.deliver_due(at=timezone.now())

        shown = text(lin.get(listing(EnglishOrder)))

        for expected in (purchase.number, " done ", "purchase", "小明", "¥29.00", "english"):
            assert expected in shown

    @pytest.mark.parametrize(
        ("name", "fields", "shown"),
        [("小明", {"phone": "1380"}, " 小明 "), ("", {"phone": "1380", "real_name": "李雷"}, " 李雷 1380 "),
         ("", {}, " u-1 ")],
    )  # fmt: skip
    def test_it_names_the_customer_as_well_as_it_can(self, lin, shop, name, fields, shown):
        make_learner(client=shop, user_id="u-1", balance_fen=10_000, **fields)
        buy(client=shop, goods={make_item(client=shop): 1}, user_id="u-1", user_name=name)

        assert shown in text(lin.get(listing(EnglishOrder)))

    def test_it_asks_as_often_for_many_as_for_one(self, lin, shop, bought, month, django_assert_num_queries):
        agent = make_agent(client=shop)
        queries = 8  # session, user, their rights, their groups', their clients, the list, clients and agents to choose
        lin.get(listing(EnglishOrder))
        with django_assert_num_queries(queries):
            lin.get(listing(EnglishOrder))
        make_learner(client=shop, user_id="2", balance_fen=10_000)
        buy(client=shop, goods={month: 1}, user_id="2", agent_id=agent.pk)

        with django_assert_num_queries(queries):
            assert len(rows(lin.get(listing(EnglishOrder)))) == 2

    @pytest.mark.parametrize("by", ["number", "user_id", "phone", "imeil"])
    def test_an_order_is_found_by_what_stands_on_it(self, lin, bought, learner, month, by):
        learner.phone = "13800138000"
        learner.save(update_fields=["phone"])
        make_learner(client=learner.client, user_id="2", balance_fen=10_000)
        buy(client=learner.client, goods={month: 1}, user_id="2")
        term = {
            "number": bought.order.number, "user_id": learner.user_id, "phone": learner.phone, "imeil": bought.imeil,
        }[by]  # fmt: skip

        assert rows(lin.get(listing(EnglishOrder), {"q": term})) == [bought]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("type__exact=1", 2),
            ("type__exact=0", 1),
            ("delivery__exact=delivered", 3),
            ("delivery__exact=failed", 0),
            ("returning__exact=returned", 1),
            ("returning__exact=asked", 0),
            ("agent__id__exact={agent}", 3),
            ("agent__id__exact=0", 0),
            ("client={client}", 3),
            ("client=0", 0),
            ("order__created_at_from=2018-01-01&order__created_at_to=2999-01-01", 3),
            ("order__created_at_to=2018-01-01", 0),
        ],
    )
    def test_it_filters(self, lin, query, found):
        made = make_something_of_every_kind(client=make_english_client())
        query = query.format(agent=made.agent_id, client=made.order.client_id)

        assert len(rows(lin.get(f"{listing(EnglishOrder)}?{query}"))) == found


class TestPage:
    def test_a_purchase_tells_all_and_leads_to_order_and_recharge(self, lin, learner, month):
        agent = make_agent(client=learner.client)
        purchase = buy(
            client=learner.client, goods={month: 1}, money_fen=500, agent_id=agent.pk, ip="203.0.113.7"
        )  # fmt: skip
        recharge = purchase.recharge

        answer = lin.get(page(purchase))

        shown = text(answer)
        for expected in ("会员购买", "校园渠道", "203.0.113.7", "866000000000001", "会员月卡", "¥29.00", " 1 month "):
            assert expected in shown
        assert "+00:00" not in shown
        for path in (page(purchase.order), page(recharge), page(month)):
            assert f'href="{path}"' in answer.content.decode()

    def test_a_recharge_leads_to_its_purchase_and_has_no_lines(self, lin, learner, month):
        made = init(client=learner.client, goods={month: 1}, money_fen=500)

        answer = lin.get(page(document(made.recharge)))

        assert f'href="{page(document(made.purchase))}"' in answer.content.decode()
        assert "Alipay" in text(answer)
        assert "会员月卡" not in text(answer)

    def test_what_was_returned_leads_to_its_refund(self, lin, asked):
        returned = returns.approve(order_id=asked.order_id, actor="user:wang", at=timezone.now())

        answer = lin.get(page(asked))

        assert f'href="{page(returned.refund)}"' in answer.content.decode()
        assert " returned " in text(answer)

    def test_the_order_s_page_tells_of_the_document_and_leads_to_it(self, lin, bought):
        answer = lin.get(page(bought.order))

        shown = " ".join(text(answer).split())
        for expected in ("Type purchase", "Goods 会员月卡 × 1, 单词卡 × 2", "Delivery delivered", "Return none"):
            assert expected in shown
        assert f'href="{page(bought)}"' in answer.content.decode()


class TestApprove:
    def test_it_tells_what_goes_back_and_is_taken_back(self, lin, learner, month, asked):
        later = buy(client=learner.client, goods={month: 2})
        ends_on = learner.english_membership.ends_on

        shown = text(lin.get(page(asked, "approve")))

        for expected in ("Goes back to the balance ¥48.80", "Taken back 会员月卡 × 1, 单词卡 × 2",
                         f"Member until {ends_on} →"):  # fmt: skip
            assert expected in shown
        assert document(later.order).returning == "none"

    def test_money_goes_back_and_goods_are_taken_back(self, lin, learner, asked):
        before = balance_fen(learner)

        answer = send(lin, page(asked, "approve"), REASON)

        assert answer.redirect_chain == [(page(asked), 302)]
        refund = Refund.objects.get()
        assert f"The return is done: refund {refund.number} gave the money back" in text(answer)
        assert state(asked) == ("delivered", "returned", before + 4_880, 0)
        row = deeds("return_approve").get()
        assert (row.actor, row.subject, row.detail) == ("user:lin", f"order:{asked.order.number}", REASON)
        assert row.request_id

    def test_what_waits_for_a_second_person_is_told_and_leads_there(self, lin, learner, asked):
        learner.client.approval_above_fen = 0
        learner.client.save(update_fields=["approval_above_fen"])
        before = state(asked)

        answer = send(lin, page(asked, "approve"), REASON)

        refund = Refund.objects.get()
        assert f"Its refund {refund.number} waits for a second person." in text(answer)
        assert answer.content.decode().count(f'href="{page(refund)}"') == 2
        assert state(asked) == (before[0], "approved", *before[2:])

    def test_what_was_refunded_in_part_already_does_not_go_back_again(self, lin, learner, asked):
        command = RefundCommand(goods_fen=1_000)
        refunds.refund(order_id=asked.order_id, command=command, actor="user:wang", at=timezone.now())
        before = balance_fen(learner)

        send(lin, page(asked, "approve"), REASON)

        assert state(asked) == ("delivered", "returned", before + 3_880, 0)

    def test_a_form_from_before_money_went_back_is_refused_and_shown_anew(self, lin, asked):
        fields = carried(lin.get(page(asked, "approve"))) | REASON
        command = RefundCommand(goods_fen=1_000)
        refunds.refund(order_id=asked.order_id, command=command, actor="user:wang", at=timezone.now())
        before = state(asked)

        answer = lin.post(page(asked, "approve"), fields)

        assert errors(answer) == {"__all__": [returns.DecidedMeanwhile().sentence()]}
        assert "¥38.80" in text(answer)
        assert carried(answer)["as_seen"] == "asked:1:3880" != fields["as_seen"]
        assert state(asked) == before

    @pytest.mark.django_db(transaction=True)
    def test_a_double_click_gives_the_money_back_once(self, asked, learner):
        lin, before = browser("lin", *MAY), balance_fen(learner)
        fields = carried(lin.get(page(asked, "approve"))) | REASON

        answers = at_once(2, lambda _n: lin.post(page(asked, "approve"), fields))

        assert sorted(answer.status_code for answer in answers) == [200, 302]
        assert state(asked) == ("delivered", "returned", before + 4_880, 0)
        assert (Refund.objects.count(), deeds("return_approve").count()) == (1, 1)


class TestRefuse:
    def test_a_return_is_refused_and_the_customer_told_why(self, lin, asked):
        before = state(asked)
        assert "The customer can ask once more." in text(lin.get(page(asked, "refuse")))

        answer = send(lin, page(asked, "refuse"), REASON)

        assert answer.redirect_chain == [(page(asked), 302)]
        assert "已经使用过" in text(answer)
        assert state(asked) == ("delivered", "failed", *before[2:])
        row = deeds("return_refuse").get()
        assert (row.actor, row.detail) == ("user:lin", {"reason": "已经使用过"})

    def test_after_the_second_time_the_customer_cannot_ask_again(self, lin, asked):
        returns.refuse(order_id=asked.order_id, actor="user:wang", at=timezone.now(), reason="x")
        ask(asked)

        shown = text(lin.get(page(asked, "refuse")))

        assert "2 of 2 times" in shown
        assert "The customer cannot ask again." in shown

    @pytest.mark.parametrize("reason", ["", " ", "x" * 201, "\x00", "a\nb"])
    def test_without_a_line_of_reason_it_is_not(self, lin, asked, reason):
        before = state(asked)

        assert list(errors(send(lin, page(asked, "refuse"), {"reason": reason}))) == ["reason"]
        assert (state(asked), deeds("return_refuse").count()) == (before, 0)


@pytest.mark.parametrize(("deed", "other"), [("approve", "refuse"), ("refuse", "approve")])
def test_who_comes_after_a_colleague_is_told_so(lin, asked, deed, other):
    fields = carried(lin.get(page(asked, deed))) | REASON
    decide = {"approve": returns.approve, "refuse": functools.partial(returns.refuse, reason="x")}[other]
    decide(order_id=asked.order_id, actor="user:wang", at=timezone.now())
    before = state(asked)

    answer = lin.post(page(asked, deed), fields)

    assert errors(answer) == {"__all__": [returns.DecidedMeanwhile().sentence()]}
    assert (state(asked), deeds(f"return_{deed}").count()) == (before, 0)


@pytest.mark.parametrize("deed", ["approve", "refuse"])
def test_a_form_from_before_the_customer_asked_again_is_refused(lin, asked, deed):
    fields = carried(lin.get(page(asked, deed))) | REASON
    returns.refuse(order_id=asked.order_id, actor="user:wang", at=timezone.now(), reason="x")
    ask(asked)

    answer = lin.post(page(asked, deed), fields)

    assert errors(answer) == {"__all__": [returns.DecidedMeanwhile().sentence()]}
    assert document(asked.order).returning == "asked"


@pytest.mark.parametrize("deed", ["approve", "refuse"])
def test_a_return_that_nobody_asked_for_has_no_buttons_and_is_refused_in_a_sentence(lin, bought, deed):
    before = state(bought)

    answer = send(lin, page(bought, deed), REASON)

    assert errors(answer) == {"__all__": [returns.NotToDecide().sentence()]}
    assert state(bought) == before
    assert page(bought, deed) not in lin.get(page(bought)).content.decode()


@pytest.mark.parametrize("as_seen", ["", "x", "asked:1", "asked:1:" + "9" * 19, "asked:2:4880", "\x00"])
def test_what_no_form_carries_is_no_decision(lin, asked, as_seen):
    before = state(asked)

    answer = lin.post(page(asked, "approve"), {"as_seen": as_seen} | REASON)

    assert errors(answer) == {"__all__": [returns.DecidedMeanwhile().sentence()]}
    assert carried(answer)["as_seen"] == "asked:1:4880"
    assert state(asked) == before


class TestDeliverAgain:
    @pytest.fixture
    def failed(self, monkeypatch, learner, month):
        with translation.override("en"):  # what went wrong is kept in the language of who was told
            return deliver_in_vain(monkeypatch, client=learner.client, goods={month: 1})

    def test_a_delivery_that_failed_is_tried_again(self, lin, failed):
        shown = text(lin.get(page(failed, "deliver")))
        assert "The membership would last beyond the year 2200." in shown

        answer = send(lin, page(failed, "deliver"), REASON)

        assert answer.redirect_chain == [(page(failed), 302)]
        assert deliveries.deliver_due(at=timezone.now()) == 1
        assert state(failed)[:2] == ("delivered", "none")
        row = deeds("deliver_again").get()
        assert (row.actor, row.subject, row.detail) == ("user:lin", f"order:{failed.order.number}", REASON)

    def test_a_second_click_is_refused_in_a_sentence_and_does_nothing(self, lin, failed):
        lin.post(page(failed, "deliver"), REASON)

        answer = lin.post(page(failed, "deliver"), REASON)

        assert errors(answer) == {"__all__": [deliveries.NotToDeliver().sentence()]}
        assert deeds("deliver_again").count() == 1

    def test_what_did_not_fail_has_no_button_and_is_not_delivered_again(self, lin, bought):
        before = state(bought)

        answer = send(lin, page(bought, "deliver"), REASON)

        assert errors(answer) == {"__all__": [deliveries.NotToDeliver().sentence()]}
        assert state(bought) == before
        assert page(bought, "deliver") not in lin.get(page(bought)).content.decode()

    def test_what_is_to_be_returned_is_not_delivered_meanwhile(self, lin, failed):
        ask(failed)

        assert page(failed, "deliver") not in lin.get(page(failed)).content.decode()
        assert errors(send(lin, page(failed, "deliver"), REASON)) == {"__all__": [deliveries.NotToDeliver().sentence()]}
        assert "nothing: it was not delivered" in text(lin.get(page(failed, "approve")))


def test_the_first_page_leads_to_returns_asked_for_and_deliveries_that_failed(monkeypatch, lin, learner, month, asked):
    failed = deliver_in_vain(monkeypatch, client=learner.client, goods={month: 1})

    index = lin.get("/admin/")

    for query, found in (("returning__exact=asked", asked), ("delivery__exact=failed", failed)):
        path = f"{listing(EnglishOrder)}?{query}"
        assert path in index.content.decode()
        assert rows(lin.get(path)) == [found]

"""Staff keep packs; their stock is the orders' and moves on a page of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from partner_orders import stock
from partner_orders.admin.packs import GiftPackAdmin
from partner_orders.models import GiftPack
from payments.admin.base import AuditedAdmin
from payments.models import AuditRow
from tests.partner_orders.world import PACK_UID, buy, in_stock, make_level, make_pack, make_partner_client
from tests.payments.admin.forms import errors, listing, page, send
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text

pytestmark = pytest.mark.django_db

MAY = ("view_giftpack", "add_giftpack", "change_giftpack")
FIELDS = {"title": "拉卡拉大POS", "order_name": "购买机器", "description": "", "price_fen": "300", "score": "0",
          "level": "", "is_shown": "on"}  # fmt: skip


@pytest.fixture
def lin():
    return browser("lin", *MAY)


def test_the_list_shows_what_is_left_and_what_orders_hold(lin, pack, address):
    buy(pack=pack, address=address)

    shown = lin.get(listing(GiftPack), {"q": PACK_UID})

    assert [(row.stock, row.held) for row in shown.context["cl"].result_list] == [(9, 1)]
    assert "¥300.00" in text(shown)
    assert list(lin.get(listing(GiftPack), {"q": "0" * 32}).context["cl"].result_list) == []


def test_a_price_is_entered_in_whole_yuan_and_kept_in_fen(lin, client_):
    uid = "f" * 32
    path = listing(GiftPack) + "add/"

    answer = lin.post(path, FIELDS | {"client": client_.pk, "uid": uid, "price_fen": "998"}, follow=True)

    assert answer.redirect_chain == [(listing(GiftPack), 302)]
    made = GiftPack.objects.get(uid=uid)
    assert (made.price_fen, made.stock, made.stocked) == (99_800, 0, 0)
    assert AuditRow.objects.get(action="gift_pack.add").actor == "user:lin"


@pytest.mark.parametrize("entered", ["0", "299.50", "-1", "1e3", "３００", "¥300", "9" * 13, "1,000"])
def test_what_is_no_whole_yuan_is_refused_at_its_field(lin, pack, entered):
    answer = lin.post(page(pack), FIELDS | {"price_fen": entered})

    assert list(answer.context["adminform"].form.errors) == ["price_fen"]
    assert GiftPack.objects.get().price_fen == 30_000


def test_a_price_is_shown_as_it_is_entered_and_what_was_not_changed_is_no_change(lin, pack):
    assert 'name="price_fen" value="300"' in lin.get(page(pack)).content.decode()

    lin.post(page(pack), FIELDS | {"title": pack.title, "price_fen": "300.00", "score": "7"})

    assert AuditRow.objects.get(action="gift_pack.change").detail == {"changes": {"score": ["0", "7"]}}


def test_another_client_s_level_is_refused(lin, pack):
    other = make_partner_client(name="other")
    level = make_level(client=other)
    added = FIELDS | {"client": pack.client_id, "uid": "f" * 32, "level": level.pk}

    answers = [lin.post(page(pack), FIELDS | {"level": level.pk}), lin.post(listing(GiftPack) + "add/", added)]

    assert [list(answer.context["adminform"].form.errors) for answer in answers] == [["level"], ["level"]]
    assert GiftPack.objects.get().level is None


def test_a_form_that_tells_a_stock_of_its_own_moves_none(lin, pack, address):
    lin.get(page(pack))
    buy(pack=pack, address=address)

    lin.post(page(pack), FIELDS | {"stock": "10", "stocked": "99", "client": "99", "uid": "f" * 32})

    pack.refresh_from_db()
    assert (pack.title, pack.stock, pack.stocked, pack.uid) == ("拉卡拉大POS", 9, 10, PACK_UID)


def save_while_somebody_buys(monkeypatch, pack, address):
    """Have an order made after the page has read the pack and before it writes it."""
    write = GiftPackAdmin.write

    def bought_first(self, obj, form, *, change):
        with ThreadPoolExecutor(1) as crowd:
            crowd.submit(lambda: (buy(pack=pack, address=address), connection.close())).result()
        write(self, obj, form, change=change)

    monkeypatch.setattr(GiftPackAdmin, "write", bought_first)
    lin = browser("lin", *MAY)
    assert lin.post(page(pack), FIELDS | {"title": "new"}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_what_an_order_takes_while_a_pack_is_saved_stays_taken(monkeypatch, pack, address):
    save_while_somebody_buys(monkeypatch, pack, address)

    assert in_stock(pack) == 9
    assert pack.title == "new"


@pytest.mark.django_db(transaction=True)
def test_control_a_pack_saved_whole_puts_back_what_an_order_took(monkeypatch, pack, address):
    monkeypatch.setattr(GiftPackAdmin, "write", AuditedAdmin.write)

    save_while_somebody_buys(monkeypatch, pack, address)

    assert in_stock(pack) == 10
    GiftPack.objects.update(stock=9)  # so that the books are right in the end


class TestStock:
    ENTERED = {"pieces": "5", "reason": "a delivery"}

    def test_pieces_are_put_in(self, lin, pack, address):
        buy(pack=pack, address=address)

        answer = send(lin, page(pack, "stock"), self.ENTERED)

        assert answer.redirect_chain == [(page(pack), 302)]
        assert "14 pieces are in stock now." in text(answer)
        pack.refresh_from_db()
        assert (pack.stock, pack.stocked) == (14, 15)
        row = AuditRow.objects.get(action="gift_pack.stock", actor="user:lin")
        assert row.detail == {"pieces": 5, "stock": 14, "reason": "a delivery"}

    def test_pieces_are_taken_out(self, lin, pack):
        send(lin, page(pack, "stock"), self.ENTERED, pieces="-10")

        assert in_stock(pack) == 0

    def test_orders_made_since_the_form_was_opened_do_not_matter(self, lin, pack, address):
        lin.get(page(pack, "stock"))
        buy(pack=pack, address=address)

        send(lin, page(pack, "stock"), self.ENTERED)

        assert in_stock(pack) == 14

    def test_a_form_sent_twice_moves_once(self, lin, pack):
        fields = {"stocked": "10"} | self.ENTERED

        answers = [lin.post(page(pack, "stock"), fields) for _time in range(2)]

        assert [answer.status_code for answer in answers] == [302, 200]
        assert errors(answers[1]) == {"__all__": [stock.StockedMeanwhile().sentence()]}
        assert 'name="stocked" value="15"' in answers[1].content.decode()
        assert in_stock(pack) == 15

    @pytest.mark.parametrize(
        ("entered", "field"),
        [
            ({"pieces": "-11"}, "pieces"),
            ({"pieces": "0"}, "pieces"),
            ({"pieces": ""}, "pieces"),
            ({"pieces": "1.5"}, "pieces"),
            ({"pieces": "9" * 30}, "pieces"),
            ({"pieces": "1000001"}, "pieces"),
            ({"pieces": "\x00"}, "pieces"),
            ({"reason": " "}, "reason"),
            ({"reason": "x" * 201}, "reason"),
            ({"reason": "\x00"}, "reason"),
            ({"stocked": "x"}, "__all__"),
            ({"stocked": ""}, "__all__"),
            ({"stocked": "11"}, "__all__"),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field(self, lin, pack, entered, field):
        answer = send(lin, page(pack, "stock"), self.ENTERED | entered)

        assert answer.status_code == 200
        assert list(errors(answer)) == [field]
        assert in_stock(pack) == 10
        assert not AuditRow.objects.filter(actor="user:lin").exists()

    def test_more_than_a_column_can_hold_is_refused(self, lin, pack):
        GiftPack.objects.update(stock=stock.STOCKED_MAX, stocked=stock.STOCKED_MAX)

        answer = send(lin, page(pack, "stock"), self.ENTERED)

        assert list(errors(answer)) == ["pieces"]
        assert in_stock(pack) == stock.STOCKED_MAX

    def test_who_may_only_look_finds_no_button(self, lin, pack):
        looker = browser("looker", "view_giftpack")

        assert page(pack, "stock") in lin.get(page(pack)).content.decode()
        assert page(pack, "stock") not in looker.get(page(pack)).content.decode()


def test_a_pack_that_is_new_has_no_stock_page_yet(lin):
    assert "Stock…" not in text(lin.get(listing(GiftPack) + "add/"))


def test_of_another_client_s_ladder_nothing_is_offered(lin, pack):
    own, other = make_level(client=pack.client), make_level(client=make_partner_client(name="other"), code="V9")
    make_pack(client=other.client, uid="0" * 32, level=other)

    shown = lin.get(page(pack)).context["adminform"].form.fields["level"].queryset

    assert list(shown) == [own]

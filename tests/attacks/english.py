"""What the English app's calls need to be good calls: a good, money, an order at each stage."""

from english_app.models import Good
from payments.ledger.accounts import Kind
from tests.attacks.conftest import make_alipay_account
from tests.attacks.routes import GOOD_ID
from tests.english_app import world
from tests.world import grant


def stock_up(shop):
    """Give the shop a good and its customer money."""
    grant(customer=shop.customer, kind=Kind.BALANCE, amount_fen=100_000, reference="opening:english")
    return world.make_month(client=shop, pk=GOOD_ID)


def prepared(shop, path):
    """Return the number of an order of which the call at `path` may be made."""
    stock_up(shop)
    if path.endswith("/init"):
        make_alipay_account(client=shop)
    if path.endswith("/cancel"):
        return buy(shop).order.number
    made = world.init(client=shop, goods={Good.objects.get(): 1}, user_id=shop.customer.user_id)
    return made.purchase.number


def buy(shop):
    return world.buy(client=shop, goods={Good.objects.get(): 1}, user_id=shop.customer.user_id)

"""Which account takes the money: chosen by staff, and only what can work."""

import pytest
from django.urls import reverse

from payments.charges import queries
from payments.gateways.base import Mode
from payments.models import AuditRow, GatewayAccount, GatewayDefault
from tests.world import make_client, make_memory_account

pytestmark = pytest.mark.django_db

ADD = reverse("admin:payments_gatewaydefault_add")


def change(row):
    return reverse(f"admin:payments_{row._meta.model_name}_change", args=[row.pk])


@pytest.fixture
def shop():
    return make_client()


def errors(response):
    assert response.status_code == 200
    return [sentence for found in response.context["adminform"].form.errors.values() for sentence in found]


def test_a_default_is_chosen_and_taken(boss, shop):
    make_memory_account(app_id="first")
    second = make_memory_account(app_id="second")

    response = boss.post(ADD, {"client": shop.pk, "mode": "qr", "account": second.pk})

    assert response.status_code == 302
    assert GatewayDefault.objects.get().channel == "memory"
    assert queries.account_for(client_id=shop.pk, channel="memory", mode=Mode.QR) == second
    row = AuditRow.objects.get()
    assert (row.actor, row.action) == ("user:boss", "gateway_default.add")


def test_what_cannot_work_is_refused(boss, shop):
    other = make_client(name="other")
    off = make_memory_account(app_id="off", is_active=False)
    qr_alone = make_memory_account(app_id="qr", modes=["qr"])
    others = make_memory_account(app_id="others", client=other)
    free = make_memory_account(app_id="free")
    GatewayDefault.objects.create(client=shop, channel="memory", mode="wap", account=free)

    refused = {
        "off": {"client": shop.pk, "mode": "qr", "account": off.pk},
        "method": {"client": shop.pk, "mode": "app", "account": qr_alone.pk},
        "another client": {"client": shop.pk, "mode": "qr", "account": others.pk},
        "every client": {"client": "", "mode": "qr", "account": others.pk},
        "twice": {"client": shop.pk, "mode": "wap", "account": qr_alone.pk},
        "taken": {"client": shop.pk, "mode": "wap", "account": free.pk},
    }
    told = {why: errors(boss.post(ADD, given)) for why, given in refused.items()}

    assert told["off"] == ["The account is switched off."]
    assert told["method"] == ["The account does not serve this method."]
    assert told["another client"] == ["The account is another client's: it takes that client's money alone."]
    assert told["every client"] == told["another client"]
    assert "in memory memory is the default for this already. Change that one." in told["taken"]
    assert "The account does not serve this method." in told["twice"]
    assert GatewayDefault.objects.count() == 1


def test_a_client_s_own_account_can_be_its_default_and_a_general_one_everybody_s(boss, shop):
    own, general = make_memory_account(app_id="own", client=shop), make_memory_account(app_id="general")

    for given in ({"client": shop.pk, "account": own.pk}, {"client": "", "account": general.pk}):
        assert boss.post(ADD, {"mode": "qr", **given}).status_code == 302
    assert GatewayDefault.objects.count() == 2


def test_a_default_that_is_there_can_be_saved_again(boss, shop):
    default = GatewayDefault.objects.create(
        client=shop, channel="memory", mode="qr", account=make_memory_account()
    )  # fmt: skip

    response = boss.post(change(default), {"client": shop.pk, "mode": "app", "account": default.account_id})

    default.refresh_from_db()
    assert (response.status_code, default.mode) == (302, "app")


class TestOnTheAccountsPage:
    def post(self, boss, account, *rows, initial=0, **fields):
        """Save the account's page with `rows` of defaults."""
        given = {
            "name": account.name, "app_id": account.app_id, "is_active": "on",
            "defaults-TOTAL_FORMS": str(len(rows)), "defaults-INITIAL_FORMS": str(initial), **fields,
        }  # fmt: skip
        for n, row in enumerate(rows):
            given |= {f"defaults-{n}-{name}": value for name, value in row.items()}
            given[f"defaults-{n}-account"] = account.pk
        return boss.post(change(account), given)

    def test_defaults_come_and_go_with_an_audit_row(self, boss, shop):
        account = make_memory_account()

        made = self.post(boss, account, {"client": shop.pk, "mode": "qr", "id": ""})
        default = GatewayDefault.objects.get()
        gone = self.post(
            boss, account, {"client": shop.pk, "mode": "qr", "id": default.pk, "DELETE": "on"}, initial=1
        )  # fmt: skip

        assert (made.status_code, gone.status_code) == (302, 302)
        assert (default.account, default.channel) == (account, "memory")
        assert not GatewayDefault.objects.exists()
        actions = AuditRow.objects.filter(action__contains="default").order_by("pk").values_list("action", flat=True)
        assert list(actions) == ["gateway_account.default", "gateway_account.no_default"]

    @pytest.mark.parametrize(
        ("fields", "row", "sentence"),
        [
            ({"is_active": ""}, {"mode": "qr"}, "The account is switched off."),
            ({"modes": ["app"]}, {"mode": "qr"}, "The account does not serve this method."),
        ],
    )
    def test_what_the_account_is_about_to_become_counts(self, boss, shop, fields, row, sentence):
        account = make_memory_account()

        response = self.post(boss, account, {"client": shop.pk, "id": "", **row}, **fields)

        assert response.status_code == 200
        assert sentence in response.content.decode()
        assert GatewayAccount.objects.get().is_active
        assert not GatewayDefault.objects.exists()

"""What a person of the staff might try, to be two people, or to reach beyond their clients."""

import pytest
from django.test import Client
from django.urls import reverse

from payments.models import GatewayAccount, GatewayDefault
from tests.world import make_client, make_memory_account, make_staff

pytestmark = pytest.mark.django_db

PASSWORD = "another long enough password"
KEEPS_GATEWAYS = [
    f"{may}_{what}" for may in ("view", "add", "change") for what in ("gatewayaccount", "gatewaydefault")
]  # fmt: skip


def browser(user):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def test_nobody_takes_another_name_and_with_it_their_own_requests(django_user_model):
    """Who asked for a refund, and who decided on it, are told apart by their names."""
    boss, lin = make_staff("boss", boss=True), make_staff("lin")
    for who in (boss, lin):
        form = browser(boss).get(reverse("admin:auth_user_change", args=[who.pk])).context["adminform"].form

        assert "username" not in form.fields


@pytest.mark.parametrize("spelt", ["{}", "0{}", " {}", "{} ", "+{}"])
def test_ones_own_password_is_changed_with_the_one_so_far_alone(spelt):
    boss = make_staff("boss", boss=True)
    path = reverse("admin:auth_user_password_change", args=[spelt.format(boss.pk)])

    answer = browser(boss).post(path, {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"})

    boss.refresh_from_db()
    assert answer.status_code in {302, 404}
    assert not boss.check_password(PASSWORD)


class TestOfOneClient:
    @pytest.fixture
    def rival(self):
        return make_client(name="rival")

    @pytest.fixture
    def account(self):
        return make_memory_account(client=make_client(), app_id="own")

    def send(self, account, **changes):
        lin = browser(make_staff("lin", *KEEPS_GATEWAYS, clients=[account.client]))
        path = reverse("admin:payments_gatewayaccount_change", args=[account.pk])
        shown = lin.get(path)
        entered = {
            "name": "own", "client": account.client.pk, "is_active": "on", "app_id": "own", "base_url": "",
            "notify_base": "", "defaults-TOTAL_FORMS": 1, "defaults-INITIAL_FORMS": 0, "defaults-0-mode": "qr",
            "defaults-0-client": account.client.pk, **changes,
        }  # fmt: skip
        return shown, lin.post(path, entered)

    def test_control_they_keep_their_own(self, account):
        _shown, answer = self.send(account)

        assert answer.status_code == 302
        assert GatewayDefault.objects.get().client == account.client

    def test_they_do_not_take_the_money_of_others(self, account, rival):
        shown, answer = self.send(account, **{"client": "", "defaults-0-client": rival.pk})

        assert "rival" not in shown.content.decode()
        assert answer.status_code == 200
        assert not GatewayDefault.objects.exists()
        assert GatewayAccount.objects.get().client == account.client

    def test_nor_of_everybody(self, account):
        _shown, answer = self.send(account, **{"client": "", "defaults-0-client": ""})

        assert answer.status_code == 200
        assert not GatewayDefault.objects.exists()

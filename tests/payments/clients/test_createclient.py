import datetime
import io

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.clients import queries
from payments.clients.checks import unsigned_calls_come_from_private_networks
from payments.clients.models import token_digest
from payments.models import ApiClient, AuditRow
from payments.secrets import CannotUnseal
from tests.world import make_client

pytestmark = pytest.mark.django_db


def createclient(*args):
    out = io.StringIO()
    call_command("createclient", *args, stdout=out, stderr=io.StringIO())
    return dict(line.split(": ", 1) for line in out.getvalue().replace(":  ", ": ").splitlines())


def nothing_was_made():
    return not ApiClient.objects.exists() and not get_user_model().objects.exists() and not AuditRow.objects.exists()


def test_a_new_client_can_call_with_what_was_printed():
    printed = createclient("mall", "--family", "checkout", "--redirect-host", "www.example.com")

    client = queries.by_token(token=printed["token"])
    assert client.name == "mall"
    assert client.secret() == printed["secret"]
    assert client.webhook_secrets(at=timezone.now()) == [printed["webhook secret"]]
    assert client.permission_names == {"checkout.point_pay"}
    assert client.families == ["checkout"]
    assert client.redirect_hosts == ["www.example.com"]
    assert client.sign_type == "MD5"
    assert not client.always_http_200
    assert client.unsigned_from == []
    assert not client.user.has_usable_password()
    assert client.user.get_all_permissions() == {"checkout.point_pay"}


def test_neither_token_nor_secret_is_stored_in_the_clear():
    printed = createclient("mall", "--family", "checkout")

    row = ApiClient.objects.values().get()
    assert printed["token"] not in str(row)
    assert printed["secret"] not in str(row)
    assert printed["webhook secret"] not in str(row)
    assert row["token_sha256"] == token_digest(printed["token"])
    assert printed["token"] not in str(AuditRow.objects.values())
    assert printed["secret"] not in str(AuditRow.objects.values())
    assert printed["webhook secret"] not in str(AuditRow.objects.values())


def test_making_a_client_is_written_down():
    createclient("mall", "--family", "payments", "--permission", "checkout.point_pay", "--sign-type", "HMAC-SHA256")

    deed = AuditRow.objects.get()
    assert (deed.actor, deed.action, deed.subject) == ("system", "client.create", "client:mall")
    assert deed.detail == {"families": ["payments"], "permissions": ["checkout.point_pay"]}


def test_a_client_is_the_default_one_of_a_family_and_answers_200():
    createclient("app", "--family", "partner_orders", "--default-of", "partner_orders", "--always-http-200")

    client = queries.by_default(family="partner_orders")
    assert (client.name, client.always_http_200) == ("app", True)
    with pytest.raises(CommandError):
        createclient("second", "--family", "partner_orders", "--default-of", "partner_orders")
    assert ApiClient.objects.count() == AuditRow.objects.count() == get_user_model().objects.count() == 1


def test_a_client_is_called_by_an_app_id_that_nobody_else_has():
    createclient("english", "--family", "english_app", "--app-id", "7")

    assert queries.by_app_id(app_id=7, family="english_app").name == "english"
    with pytest.raises(CommandError):
        createclient("second", "--family", "english_app", "--app-id", "7")
    assert ApiClient.objects.count() == AuditRow.objects.count() == get_user_model().objects.count() == 1


def test_a_name_is_given_once():
    first = createclient("mall", "--family", "checkout")

    with pytest.raises(CommandError, match="mall"):
        createclient("mall", "--family", "checkout")

    assert ApiClient.objects.count() == AuditRow.objects.count() == get_user_model().objects.count() == 1
    assert queries.by_token(token=first["token"]) is not None


@pytest.mark.parametrize(
    "args",
    [
        ["mall"],
        ["mall", "--family", "unknown"],
        ["mall", "--family", "checkout", "--permission", "checkout.fly"],
        ["mall", "--family", "checkout", "--allowed-network", "10.0.0.1/8"],
        ["no spaces", "--family", "checkout"],
        ["mall", "--family", "checkout", "--default-of", "partner_orders"],
        ["mall", "--family", "checkout", "--default-of", "unknown"],
        ["mall", "--family", "english_app", "--app-id", "0"],
        ["mall", "--family", "english_app", "--app-id", "1000000000"],
        ["mall", "--family", "english_app", "--app-id", "x"],
    ],
)
def test_what_is_unfit_makes_nothing(args):
    with pytest.raises(CommandError):
        createclient(*args)

    assert nothing_was_made()


def test_rotated_keys_replace_the_old_ones_at_once():
    old = createclient("mall", "--family", "checkout")

    new = createclient("mall", "--rotate")

    assert queries.by_token(token=old["token"]) is None
    assert queries.by_token(token=new["token"]).secret() == new["secret"] != old["secret"]
    assert queries.by_token(token=new["token"]).families == ["checkout"]
    assert list(AuditRow.objects.order_by("id").values_list("action", flat=True)) == [
        "client.create",
        "client.rotate_keys",
    ]


def test_a_rotated_webhook_secret_leaves_the_keys_alone_and_the_old_one_valid_for_a_day():
    old = createclient("mall", "--family", "checkout")

    new = createclient("mall", "--rotate-webhook-secret")

    client, now = ApiClient.objects.get(), timezone.now()
    assert queries.by_token(token=old["token"]).secret() == old["secret"]
    assert client.webhook_secrets(at=now) == [new["webhook secret"], old["webhook secret"]]
    assert client.webhook_secrets(at=now + datetime.timedelta(days=1)) == [new["webhook secret"]]
    assert new.keys() == {"webhook secret"}
    assert AuditRow.objects.latest("id").action == "client.rotate_webhook_secret"


def test_a_webhook_secret_opens_in_no_other_place():
    createclient("mall", "--family", "checkout")
    client = ApiClient.objects.get()

    client.sealed_secret = client.sealed_webhook_secret
    with pytest.raises(CannotUnseal):
        client.secret()


@pytest.mark.parametrize("option", ["--rotate", "--rotate-webhook-secret"])
def test_keys_of_nobody_are_not_rotated(option):
    with pytest.raises(CommandError, match="mall"):
        createclient("mall", option)

    assert nothing_was_made()


def test_the_deployment_check_warns_of_public_networks():
    make_client(unsigned_from=["127.0.0.0/8", "10.0.0.0/8", "fd00::/8", "203.0.114.0/24", "0.0.0.0/0"])

    warned = [warning.msg for warning in unsigned_calls_come_from_private_networks(None, databases=["default"])]

    assert len(warned) == 2
    assert "203.0.114.0/24" in warned[0]
    assert "0.0.0.0/0" in warned[1]


def test_the_deployment_check_asks_the_database_only_when_told_to(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert unsigned_calls_come_from_private_networks(None, databases=None) == []

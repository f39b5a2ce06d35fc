"""An account that cannot work says so when it is opened, and keeps its secrets."""

import dataclasses
import json

import pytest

from payments.gateways.alipay import codec
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import Outcome
from tests.payments.gateways import scripted
from tests.payments.gateways.alipay_samples import NUMBER, PAID, QUERY


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": ""},
        {"seller_id": ""},
        {"private_key": ""},
        {"private_key": "nonsense"},
        {"alipay_public_key": ""},
        {"base_url": "openapi.alipay.com/gateway.do"},
        {"app_cert": "-----BEGIN CERTIFICATE-----"},
    ],
)
def test_an_account_that_cannot_work_says_so_when_it_is_opened(account, change):
    with pytest.raises(ValueError):
        AlipayGateway(dataclasses.replace(account, **change))


def test_the_classic_mix_up_of_public_keys_is_noticed(account, merchant_key):
    mixed_up = dataclasses.replace(account, alipay_public_key=scripted.public_pem(merchant_key))

    with pytest.raises(ValueError, match="Alipay's own is needed"):
        AlipayGateway(mixed_up)


def test_an_account_does_not_show_its_secrets(account):
    assert "PRIVATE KEY" not in repr(account)


def test_an_encrypting_account_hides_what_it_asks(account, server, alipay_key):
    aes_key = "aa4BtZ4tspm2wnXLb1ThQA=="
    gateway = AlipayGateway(dataclasses.replace(account, aes_key=aes_key))
    sealed = codec.encrypt(json.dumps(PAID), aes_key)
    server.then(scripted.body(scripted.signed_answer(alipay_key, codec.response_member(QUERY), sealed)))

    # Its base64 may hold slashes, which the server escapes: they are signed escaped and read unescaped.
    assert gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED
    form = server.forms[0]
    assert form["encrypt_type"] == "AES"
    assert json.loads(codec.decrypt(form["biz_content"], aes_key)) == {"out_trade_no": NUMBER}

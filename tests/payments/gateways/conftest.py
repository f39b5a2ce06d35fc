import pytest

from payments.gateways import memory
from payments.gateways.alipay.client import AlipayClient
from payments.gateways.alipay.gateway import AlipayAccount, AlipayGateway
from payments.gateways.http import Limits
from tests.payments.gateways import scripted

APP_ID, SELLER_ID = "2021000000000001", "2088000000000001"


@pytest.fixture(scope="session")
def merchant_key():
    return scripted.rsa_key()


@pytest.fixture(scope="session")
def alipay_key():
    return scripted.rsa_key()


@pytest.fixture(scope="session")
def strangers_key():
    return scripted.rsa_key()


@pytest.fixture
def server():
    server = scripted.ScriptedServer()
    yield server
    server.stop()


@pytest.fixture
def account(merchant_key, alipay_key, server):
    return AlipayAccount(
        app_id=APP_ID,
        seller_id=SELLER_ID,
        private_key=scripted.private_pem(merchant_key),
        alipay_public_key=scripted.public_pem(alipay_key),
        base_url=server.url,
    )


@pytest.fixture
def gateway(account):
    limits = Limits(total_seconds=0.6, connect_seconds=0.3)
    return AlipayGateway(account, client=AlipayClient(base_url=account.base_url, limits=limits))


@pytest.fixture
def alipay_answers(server, alipay_key):
    """The server answers the next call of a method as Alipay would, signed."""

    def answer(method, content, **beside):
        member = method.replace(".", "_") + "_response"
        server.then(scripted.body(scripted.signed_answer(alipay_key, member, content, **beside)))

    return answer


@pytest.fixture(autouse=True)
def fresh_books():
    memory.forget_everything()

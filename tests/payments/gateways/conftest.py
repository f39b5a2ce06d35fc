import pytest

from payments.gateways import memory
from payments.gateways.alipay.client import AlipayClient
from payments.gateways.alipay.gateway import AlipayAccount, AlipayGateway
from payments.gateways.http import Limits
from payments.gateways.wechat_v2.client import WechatV2Client
from payments.gateways.wechat_v2.gateway import WechatV2Account, WechatV2Gateway
from payments.gateways.wechat_v3.client import WechatV3Client
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from tests.payments.gateways import certificates, scripted, wechat_v2_samples, wechat_v3_samples

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
    limits = Limits(total_seconds=1.5, connect_seconds=1.5)
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


@pytest.fixture(scope="session")
def merchant_certificate(merchant_key):
    return certificates.certificate(merchant_key.public_key(), issuer_key=merchant_key)


@pytest.fixture
def wechat_v2_account(server, merchant_key, merchant_certificate):
    return WechatV2Account(
        app_id=wechat_v2_samples.APP_ID,
        merchant_id=wechat_v2_samples.MERCHANT_ID,
        api_key=wechat_v2_samples.API_KEY,
        client_cert=certificates.pem(merchant_certificate),
        client_key=scripted.private_pem(merchant_key),
        base_url=server.url,
    )


@pytest.fixture
def wechat_v2(wechat_v2_account):
    limits = Limits(total_seconds=1.5, connect_seconds=1.5)
    return WechatV2Gateway(wechat_v2_account, client=WechatV2Client(base_url=wechat_v2_account.base_url, limits=limits))


@pytest.fixture
def wechat_v2_answers(server):
    """The server answers the next call with these fields, signed as WeChat would."""

    def answer(fields, **how):
        server.then(scripted.body(wechat_v2_samples.signed(fields, **how)))

    return answer


# --- WeChat Pay APIv3


@pytest.fixture(scope="session")
def wechat_key():
    return scripted.rsa_key()


@pytest.fixture
def v3_account(merchant_key, wechat_key, server):
    return WechatV3Account(
        app_id=wechat_v3_samples.APP_ID,
        merchant_id=wechat_v3_samples.MERCHANT_ID,
        serial_no=wechat_v3_samples.SERIAL,
        private_key=scripted.private_pem(merchant_key),
        api_v3_key=wechat_v3_samples.API_KEY,
        public_key_id=wechat_v3_samples.KEY_ID,
        public_key=scripted.public_pem(wechat_key),
        base_url=server.url.removesuffix("/gateway.do"),
    )


@pytest.fixture
def v3_gateway(v3_account):
    limits = Limits(total_seconds=1.5, connect_seconds=1.5)
    return WechatV3Gateway(v3_account, client=WechatV3Client(base_url=v3_account.base_url, limits=limits))


@pytest.fixture
def v3_answers(server, wechat_key):
    """The server answers the next call as WeChat would, signed."""

    def answer(content, **how):
        server.then(wechat_v3_samples.answer(wechat_key, content, **how))

    return answer

"""
Canaries in every cage: whatever is asked and whatever goes wrong, none is heard outside.

No token, no secret and no 24 characters of any key stand in an answer, a log line, a database column or Redis; no
customer's phone and name where they do not belong. With DEBUG on as well as off.
"""

import base64
import re
import secrets
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connection

from payments.models import ApiClient, GatewayAccount, InboundNotification, Order
from tests.attacks.conftest import Site, make_alipay_account, pem
from tests.attacks.routes import GOOD_ID, LEARN, USER
from tests.calls import body, signed
from tests.checkout.test_documents import PAY
from tests.english_app.world import make_month
from tests.faults.test_alipay_end_to_end import connect
from tests.web_process import eventually
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db(transaction=True)

WINDOW = 24
RUN = re.compile(rf"[A-Za-z0-9+/=_-]{{{WINDOW},}}")
PHONE, NAME = "13912345678", "秘密客户甲"


class Canaries:
    """What must be heard nowhere."""

    def __init__(self):
        self.token, self.secret, self.password = (secrets.token_urlsafe(32) for _ in range(3))
        self.secret_key = secrets.token_urlsafe(48)
        self.encryption_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.private_key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self.new_private_key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self.aes_key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.also = set()  # login codes and cookies, as they come up
        keys = {name: _plain(key) for name, key in vars(self).items() if name != "also"}
        self._windows = {key[n : n + WINDOW]: name for name, key in keys.items() for n in range(len(key) - WINDOW + 1)}

    def heard_in(self, text):
        """Return what of them stands in `text`."""
        heard = {one for one in self.also if one in text}
        for run in RUN.findall(text) + RUN.findall(text.replace("\\n", "").replace("\n", "")):
            windows = {run[n : n + WINDOW] for n in range(len(run) - WINDOW + 1)} & self._windows.keys()
            heard |= {self._windows[window] for window in windows}
        return heard


def _plain(key):
    return "".join(line for line in key.splitlines() if "-----" not in line)


@pytest.fixture
def canaries(settings):
    canaries = Canaries()
    settings.SECRET_KEY = canaries.secret_key
    settings.ENCRYPTION_KEYS = [f"canary:{canaries.encryption_key}"]
    return canaries


@pytest.fixture(params=[False, True], ids=["DEBUG off", "DEBUG on"])
def caged(request, canaries, transactional_db, tmp_path):
    """A site whose every secret is a canary."""
    site = Site(
        home=tmp_path, SECRET_KEY=canaries.secret_key, ENCRYPTION_KEYS=f"canary:{canaries.encryption_key}",
        DEBUG=str(request.param), WEB_CONCURRENCY="1",
    )  # fmt: skip
    client = make_client(
        token=canaries.token, secret=canaries.secret, permissions=("point_pay", "grant_value"),
        families=["checkout", "english_app", "payments"], app_id=1,
    )  # fmt: skip
    make_month(client=client, pk=GOOD_ID)
    make_customer(client=client, points_fen=13_128, phone=PHONE, real_name=NAME)
    get_user_model().objects.create_superuser(username="boss", password=canaries.password)
    site.heard = []
    site.http.event_hooks["response"].append(lambda response: site.heard.append(_as_text(response)))
    yield site
    site.stop()


def _as_text(response):
    response.read()
    return f"{response.url} {response.status_code} {response.headers.multi_items()}\n{response.text}"


class Story:
    """A day of the site: what clients, customers, gateways, staff and strangers ask for."""

    def __init__(self, site, canaries):
        self.site, self.canaries = site, canaries

    def call(self, path, params, *, secret=None, token=None, method="POST"):
        content = params if isinstance(params, str) else body(signed(params, secret=secret or self.canaries.secret))
        headers = {"authorization": f"Token {token or self.canaries.token}", "content-type": "application/json"}
        return self.site.http.request(method, path, content=content, headers=headers)

    def orders(self):
        answer = self.call("/api/checkout/pay/", PAY).json()
        self.call("/api/checkout/pay/", PAY)
        self.call("/api/checkout/pay/", PAY | {"total_amount": 1})
        self.call("/api/checkout/pay/", PAY | {"out_trade_no": f"{PHONE}"})
        self.call("/api/checkout/pay-detail/", {"out_trade_no": PAY["out_trade_no"]})
        return answer.get("result") or {}

    def customers(self):
        self.call("/api/customers/u2/grants/", {"grant_no": "1", "kind": "points", "direction": "in", "amount": "1"})
        self.call(
            "/api/customers/442090/grants/", {"grant_no": "1", "kind": "points", "direction": "out", "amount": "99999"}
        )
        self.call("/api/customers/442090/grants/", {"grant_no": "1", "kind": "gold", "direction": "in", "amount": "1"})

    def learner(self):
        """By document 004, whose `params` have a place for the private key."""
        made = self.call("/english/order/init", LEARN).json().get("data") or {"params": {"privatekey": ""}}
        order = USER | {"order_sn": made.get("pay_order_sn", "1"), "user_name": PHONE}
        for path in ("payWay", "lists", "pay", "cancel"):
            self.call(f"/english/order/{path}", order)
        self.call("/english/order/init", LEARN, secret="wrong")
        self.call("/english/order/init", LEARN | {"goods_list": self.canaries.secret})
        return made["params"]

    def errors(self):
        self.call("/api/checkout/pay/", PAY, secret="wrong")
        self.call("/api/checkout/pay/", PAY, token=self.canaries.token[:-1])
        self.call("/api/checkout/pay/", '{"a": ' + f'"{self.canaries.secret}"')
        self.call("/api/checkout/pay/", f'{{"secret": "{self.canaries.secret}", "secret": 1}}')
        self.call("/api/checkout/nothing/", PAY)
        self.call("/api/checkout/pay/", PAY, method="PATCH")
        for header in ("token", "secret", "password", "secret_key", "encryption_key"):
            value = getattr(self.canaries, header)
            self.site.http.get("/healthz", headers={"cookie": f"sessionid={value}"})
        self.site.raw(b"FOO BAR\r\nAuthorization: Token " + self.canaries.token.encode() + b"\r\n\r\n")
        self.site.raw(b"POST /api/checkout/pay/ HTTP/9.9\r\nAuthorization: Token " + self.canaries.token.encode())

    def cashier(self, result):
        link = {name: values[0] for name, values in parse_qs(urlsplit(result.get("cash_pay_url", "")).query).items()}
        if not link:
            link = {"code": secrets.token_urlsafe(22)[:30], "next": "/checkout/pay/2018061500000000/"}
        self.canaries.also.add(link["code"])
        http, page = self.site.http, link["next"]
        if result:
            self.site.heard.clear()  # the code was in the client's answer, where it belongs
        http.get("/api_login/", params=link)
        self.site.heard.clear()  # and in the form, which sends it
        form = {"csrfmiddlewaretoken": http.cookies.get("csrftoken", "")}
        http.post("/api_login/", data=link | form)
        http.post("/api_login/", data=link | form)
        self.canaries.also |= {cookie.value for cookie in http.cookies.jar if cookie.name == "cashier"}
        self.site.heard.clear()  # the cookie was set
        http.get(page)
        http.post(page, data={"way": "alipay:qr", **form})
        http.post(page, data={"way": "alipay:page", **form})
        http.get(f"{page}status")
        http.get(f"{page}?return")
        http.post(page, data={"way": self.canaries.secret})

    def notices(self):
        notice = {
            "sign": "QQ==",
            "sign_type": "RSA2",
            "app_id": "x",
            "buyer_logon_id": PHONE,
            "token": self.canaries.token,
        }
        headers = {"authorization": f"Token {self.canaries.token}", "cookie": f"sessionid={self.canaries.token}"}
        self.site.http.post(
            "/rest/pub/ali/pay_notify", data={k: v for k, v in notice.items() if k != "token"}, headers=headers
        )

    def staff(self):
        http = self.site.http
        http.get("/admin/login/")
        token = http.cookies.get("csrftoken", "")
        http.post(
            "/admin/login/",
            data={"username": "boss", "password": "wrong" + self.canaries.password, "csrfmiddlewaretoken": token},
        )
        http.post(
            "/admin/login/", data={"username": "boss", "password": self.canaries.password, "csrfmiddlewaretoken": token}
        )
        account = GatewayAccount.objects.filter(kind="alipay", options__has_key="alipay_public_key").first()
        page = f"/admin/payments/gatewayaccount/{account.pk}/change/"
        form = {"name": "new", "kind": "alipay", "app_id": account.app_id, "merchant_id": account.merchant_id,
                "base_url": account.base_url, "defaults-TOTAL_FORMS": "0", "defaults-INITIAL_FORMS": "0",
                "alipay_public_key": account.options["alipay_public_key"],
                "csrfmiddlewaretoken": http.cookies.get("csrftoken", ""),
                "private_key": self.canaries.new_private_key, "aes_key": self.canaries.aes_key}  # fmt: skip
        http.post(page, data=form)
        http.post(page, data=form | {"private_key": self.canaries.new_private_key[:-200]})
        notices = InboundNotification.objects.values_list("pk", flat=True)[:3]
        rows = [f"gatewayaccount/{account.pk}", f"apiclient/{ApiClient.objects.first().pk}"]
        rows += [f"inboundnotification/{pk}" for pk in notices]
        lists = ["gatewayaccount", "inboundnotification", "auditrow", "apiclient"]
        for path in [*lists, *(f"{row}/change" for row in rows)]:
            http.get(f"/admin/payments/{path}/")
        http.cookies.delete("sessionid")

    def monitors(self):
        for path in ("/metrics", "/healthz", "/readyz", "/schema/", "/docs/", "/nowhere", "/", "/static/nothing"):
            self.site.http.get(path)


def everything(canaries, site):
    """Return place → what of the canaries stands there."""
    places = {"the log": site.log(), "Redis": redis_text(), **{f"table {name}": text for name, text in tables()}}
    places |= {f"answer {n}: {text[:90]}": text for n, text in enumerate(site.heard)}
    return {place: heard for place, text in places.items() if (heard := canaries.heard_in(text))}


def tables():
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{name}" t')
            yield name, "\n".join(row[0] for row in cursor.fetchall())


def redis_text():
    found = []
    url = django_settings.REDIS_URL.replace("redis+socket://", "unix://")
    with redis.Redis.from_url(url) as server:
        for key in server.scan_iter():
            read = {b"string": server.get, b"hash": server.hgetall, b"set": server.smembers}.get(server.type(key))
            value = read(key) if read else server.lrange(key, 0, -1) if server.type(key) == b"list" else ""
            found.append(f"{key!r} {value!r}")
    return "\n".join(found)


def test_control_a_canary_is_heard(canaries):
    for name, key in vars(canaries).items():
        if name not in {"also", "_windows"}:
            assert canaries.heard_in(f"… {_plain(key)[:40]} …"), name
            assert canaries.heard_in(repr(key)), name


def test_on_a_good_day_no_secret_is_heard(caged, canaries, simulator):
    account = connect(simulator, notify_base=caged.url)
    account.set_credentials({"private_key": canaries.private_key})
    account.save()
    simulator.register_merchant(app_id=account.app_id, app_public_key=public(canaries.private_key))
    account.options = {"alipay_public_key": simulator.merchants()[-1]["alipay_public_key"]}
    account.save()
    story = Story(caged, canaries)

    result = story.orders()
    story.customers()
    assert story.learner()["privatekey"] == ""
    story.errors()
    story.cashier(result)
    order = Order.objects.get(number=result["bb_trade_no"])
    simulator.pay(order.charges.get(mode="qr").number)
    eventually(lambda: Order.objects.get(pk=order.pk).status == "pay_finished")
    story.notices()
    story.staff()
    story.monitors()

    assert everything(canaries, caged) == {}
    assert personal_in_the_log(caged) == []
    for text in caged.heard:
        assert (PHONE in text or NAME in text) is False or "/admin/" in text, text[:200]


def test_on_a_bad_day_no_secret_is_heard(caged, canaries):
    """Tables are gone, secrets do not open, keys do not fit: five hundreds everywhere."""
    make_alipay_account(private_key=canaries.private_key)
    story = Story(caged, canaries)
    result = story.orders()
    ApiClient.objects.update(sealed_secret=f"canary:{base64.b64encode(b'x' * 60).decode()}")
    story.orders()
    ApiClient.objects.update(sealed_secret="gone:AAAA")
    story.orders()
    GatewayAccount.objects.update(sealed_secrets="gone:AAAA")
    story.cashier(result)
    story.notices()
    story.customers()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_order RENAME TO hidden_order")
        cursor.execute("ALTER TABLE payments_gatewayaccount RENAME TO hidden_account")
    try:
        caged.http.get(f"/checkout/pay/{result['bb_trade_no']}/")
        story.orders()
        story.learner()
        story.notices()
        story.monitors()
        story.errors()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE payments_apiclient RENAME TO hidden_client")
        story.orders()
        story.customers()
    finally:
        with connection.cursor() as cursor:
            for name in ("order", "client", "account"):
                table = {"client": "apiclient", "account": "gatewayaccount"}.get(name, name)
                cursor.execute(f"ALTER TABLE IF EXISTS hidden_{name} RENAME TO payments_{table}")

    assert any(" 500 " in text[:300] for text in caged.heard), "the day was to be bad"
    assert everything(canaries, caged) == {}
    assert personal_in_the_log(caged) == []
    api = [text for text in caged.heard if re.search("/(?:api|rest|english)/", text[:60])]
    assert not [text for text in api if re.search(r"Traceback|psycopg|SELECT |/site-packages/|hidden_", text)]


def test_a_line_that_gunicorn_cannot_read_leaves_no_code_in_the_log(site):
    code = secrets.token_hex(15)

    site.raw(f"GET /api_login/?code={code}\x00 HTTP/1.1\r\n\r\n".encode())

    assert "Invalid" in eventually(site.log)
    assert code not in site.log()


def personal_in_the_log(site):
    return [line for line in site.log().splitlines() if PHONE in line or NAME in line]


def public(private_pem):
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    key = serialization.load_pem_private_key(private_pem.encode(), password=None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

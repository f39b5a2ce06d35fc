"""
Machine-made calls from our own OpenAPI, each signed as a client would: no 5xx, and every answer as it is described.
"""

import json
import time
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from payments.clients import signing
from payments.wire.encoding import WireNumber
from tests.attacks import english, partner
from tests.attacks.routes import ADDRESS_ID, GOODS
from tests.partner_orders.world import PACK_UID
from tests.world import SECRET, TOKEN

EXAMPLES = 50
OURS = {
    "user_id": "442090", "ee_no": "a09999", "gift_pos_id": PACK_UID, "address_id": ADDRESS_ID, "app_id": 1,
    "goods_list": GOODS["goods_list"],
}  # fmt: skip
CONFORMANCE = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def description(site, shop):
    partner.stock_up(shop)
    english.stock_up(shop)
    document = site.http.get("/schema/", params={"format": "json"}).json()
    return schemathesis.openapi.from_dict(document)


def read(params):
    """As the server reads them: numbers as they stand in the JSON."""
    return json.loads(json.dumps(params), parse_int=WireNumber, parse_float=WireNumber)


def of_our_customer(case):
    """Chance finds no customer: where the machine names one, it is ours."""
    for part in (case.body, case.query):
        if isinstance(part, dict):
            part |= {name: value for name, value in OURS.items() if name in part}
    if "user_id" in (case.path_parameters or {}):
        case.path_parameters["user_id"] = OURS["user_id"]
    return case


def send(site, case, *, token=TOKEN, secret=SECRET):
    """Send `case` as the machine made it, but for the timestamp and the sign of whoever has `secret`."""
    now = str(int(time.time()))
    given = case.as_transport_kwargs(base_url=site.url)
    request = {"method": given["method"], "url": given["url"], "headers": dict(given.get("headers") or {})}
    request["headers"].pop("Authorization", None)
    request["headers"] |= {"Authorization": f"Token {token}"} if token else {}
    if case.method == "GET":
        query = {name: str(value) for name, value in (given.get("params") or {}).items()} | {"timestamp": now}
        query["sign"] = signing.sign(params=query, secret=secret, sign_type="MD5")
        return site.http.request(**request, params=query)
    content = json.dumps(case.body, default=str) if isinstance(case.body, dict | list | str | int) else ""
    if isinstance(case.body, dict):
        params = read({**case.body, "timestamp": now})
        try:
            sign = signing.sign(params=params, secret=secret, sign_type="MD5")
        except UnicodeEncodeError:  # half a pair cannot be signed
            sign = ""
        content = json.dumps({**case.body, "timestamp": now, "sign": sign})
    request["headers"]["Content-Type"] = "application/json"
    return site.http.request(**request, content=content)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_whatever_is_sent_the_answer_is_as_described(site, description, mode):
    seen = Counter()
    for operation in operations(description):

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode).map(of_our_customer))
        def attack(case):
            response = send(site, case)
            seen[response.status_code] += 1
            case.validate_response(response, checks=CONFORMANCE)

        attack()

    assert sum(seen.values()) > 100
    assert seen[401] < sum(seen.values()) / 2, "most calls are to get past the sign"


def operations(description):
    return [found.ok() for found in description.get_all_operations()]


def test_no_described_call_is_answered_without_the_token_and_the_secret(site, description):
    """Not with another token, not under another secret, and not in the query string."""
    for operation in operations(description):

        @settings(max_examples=2, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy().map(of_our_customer))
        def attack(case):
            is_english = case.path.startswith("/english/")  # there the app's sign is the other proof
            nobody = ("", "no-such-secret" if is_english else SECRET)
            for token, secret in (nobody, ("no-such-token", SECRET), (TOKEN, "no-such-secret"), (TOKEN, "")):
                response = send(site, case, token=token, secret=secret)
                assert response.status_code == 401, (token, secret)
                case.validate_response(response, checks=CONFORMANCE)

        attack()

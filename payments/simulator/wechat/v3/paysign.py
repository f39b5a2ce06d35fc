"""The second signature: what a page or an app hands to WeChat together with a prepay_id."""

from payments.simulator import rsa
from payments.simulator.models import Merchant
from payments.simulator.wechat.v3 import signing


def holds(*, merchant: Merchant, app_id: str, timestamp: str, nonce: str, package: str, signature: str) -> bool:
    """Whether the merchant signed this. `package` is `prepay_id=wx…` for JSAPI and the bare prepay_id for an app."""
    text = signing.lines(app_id, timestamp, nonce, package)
    return rsa.verifies(text, signature, public_key=merchant.app_public_key)

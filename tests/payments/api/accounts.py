"""Gateway accounts of merchants at the simulator, as staff would set them up."""

from payments.models import GatewayAccount

NOWHERE = "http://127.0.0.1:9"


def connect_wechat_v2(simulator, *, notify_base=NOWHERE, **merchant):
    known = simulator.register_wechat_merchant(**merchant)
    account = GatewayAccount(
        kind="wechat_v2", name="simulated", app_id=known.app_id, merchant_id=known.mch_id, base_url=known.base_url,
        notify_base=notify_base,
    )  # fmt: skip
    return _with_secrets(account, api_key=known.api_key)


def connect_wechat_v3(simulator, *, notify_base=NOWHERE, **merchant):
    known = simulator.register_wechat_merchant(**merchant)
    account = GatewayAccount(
        kind="wechat_v3", name="simulated", app_id=known.app_id, merchant_id=known.mch_id, base_url=known.base_url,
        notify_base=notify_base,
        options={
            "serial_no": known.app_cert_sn,
            "public_key_id": known.platform_public_key_id,
            "public_key": known.platform_public_key,
        },
    )  # fmt: skip
    return _with_secrets(account, private_key=known.app_private_key, api_v3_key=known.api_v3_key)


def _with_secrets(account, **secrets):
    account.set_credentials(secrets)
    account.save()
    return account

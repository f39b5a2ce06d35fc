"""What WeChat Pay v2 and APIv3 have in common: the words of a trade's state."""

from payments.gateways.base import Outcome

MOST_FEN = 100_000_000_00
SUBJECT_BYTES = 127  # v2 counts bytes, v3 characters: the stricter one serves both

# Source: pay.weixin.qq.com/doc/v2/merchant/4011937035 (orderquery) and /doc/v3/merchant/4012791880
PAYMENT_OUTCOMES = {
    "SUCCESS": Outcome.SUCCEEDED,
    "REFUND": Outcome.SUCCEEDED,  # as a payment it succeeded; what went back is the refunds' to tell
    "NOTPAY": Outcome.PENDING,
    "USERPAYING": Outcome.PENDING,
    "ACCEPT": Outcome.PENDING,
    "CLOSED": Outcome.FAILED,
    "REVOKED": Outcome.FAILED,
    "PAYERROR": Outcome.FAILED,
}


def subject(text: str) -> str:
    """Return a title as WeChat takes it: at most 127 bytes of whole characters, no line breaks."""
    cut = " ".join(text.split()).encode()[:SUBJECT_BYTES]
    return cut.decode(errors="ignore")

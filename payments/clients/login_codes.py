"""
One-time codes that open a cashier session. Issuing one writes nothing.

A code is the second it was issued at (6 characters) and an HMAC (24 characters) over it, the order's number and the
order's login generation. Using one bumps the generation, which is why it works once; that is the caller's to do.
"""

import datetime
import hmac
import string

from django.conf import settings
from django.utils.crypto import salted_hmac

ALPHABET = string.digits + string.ascii_letters
TIME_LENGTH = 6
MAC_LENGTH = 24
CLOCK_SKEW_SECONDS = 30  # two web nodes need not agree to the second
SALT = "payments.clients.login_codes"


def issue(*, number: str, generation: int, at: datetime.datetime) -> str:
    """Return a code for the order `number`, valid for LOGIN_CODE_SECONDS from `at`."""
    issued = _text(int(at.timestamp()), length=TIME_LENGTH)
    return issued + _mac(issued, number=number, generation=generation)


def check(*, code: str, number: str, generation: int, at: datetime.datetime) -> bool:
    """Whether `code` opens the order `number` at its present login generation. Takes the same time for any guess."""
    issued, mac = code[:TIME_LENGTH], code[TIME_LENGTH:]
    expected = _mac(issued, number=number, generation=generation)
    if not hmac.compare_digest(mac.encode(errors="replace"), expected.encode()):
        return False
    age_seconds = int(at.timestamp()) - _value(issued)
    return -CLOCK_SKEW_SECONDS <= age_seconds <= settings.LOGIN_CODE_SECONDS


def _mac(issued: str, *, number: str, generation: int) -> str:
    digest = salted_hmac(SALT, f"{issued}:{number}:{generation}".encode(errors="replace"), algorithm="sha256").digest()
    return _text(int.from_bytes(digest), length=MAC_LENGTH)


def _text(value: int, *, length: int) -> str:
    """Return the last `length` digits of `value` in base 62."""
    digits = []
    for _ in range(length):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def _value(text: str) -> int:
    value = 0
    for character in text:
        value = value * len(ALPHABET) + ALPHABET.index(character)
    return value

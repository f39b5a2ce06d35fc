"""
No secret and no person in a log line, however deep it hides; and in the back-office none that its reader may not see.

What a value's name ends in decides, in nested data and in free text (messages, tracebacks, URLs, XML) alike; beyond
that, what looks like a key, a password in a URL or a mobile phone number is masked wherever it stands. Secrets are
masked for everybody, persons unless `persons` says that they are to be shown.
"""

import functools
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

MASK = "***"
TEXT_LENGTH_MAX = 16_384
DEPTH_MAX = 8

_HIDDEN = (
    r"(?:secret|token|passw(?:or)?d|pwd|authorization|cookie|credential|session(?:id)?|sign(?:ature)?|key"
    r"|(?<!status)(?<!status_)(?<!error_)(?<!result_)(?<!return_)(?<!err_)code)s?"
)
_PERSON = (
    r"(?:real_?name|logon_?id|id_?card|open_?id|buyer(?:_user)?_?id|payer_?id|(?:spbill_create|payer_client)_?ip"
    r"|(?:user_|buyer_?|payer_?|receiver?_?|customer_)(?:name|address)|appointment_for)"
)
_PHONE = r"(?:phone|mobile)(?:_?(?:no|number))?"

# After a name in free text: `=`, `:`, XML's `>`, and these within quotes, escaped quotes and URL encoding.
_IS = r"""[\\"']*\s*(?:[:=>]|%3d)\s*(?:<!\[CDATA\[)?"""
_VALUE = r"""(?:(?:token|bearer|basic)\s+)?(?:b?\\?"[^"\\]*|b?\\?'[^'\\]*|[^\s"'\\&,;<>}\])]+)"""

# Words, numbers and paths, in which none of the rules finds anything: most of what is logged.
_plain = re.compile(r"(?!.*1[3-9]\d{9})[\w./-]{0,64}", re.ASCII)

_SECRET_TEXTS = [
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"MII[A-Za-z0-9+/=]{100,}"), MASK),  # a key or certificate in DER, which Alipay writes without armour
    (re.compile(r"(://[^/\s:@]*:)[^@/\s]+(?=@)"), rf"\1{MASK}"),
    (re.compile(rf"({_HIDDEN}{_IS}){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(token|bearer|basic)\s+[\w.~+/=-]{16,}", re.IGNORECASE), rf"\1 {MASK}"),
]
_PERSON_TEXTS = [
    (re.compile(rf"({_PERSON}{_IS}){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(?<![0-9A-Za-z_])(1[3-9]\d)\d{4}(\d{4})(?![0-9A-Za-z_])"), r"\1****\2"),
]


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The structlog processor: the last one before a line is rendered."""
    return {key: _value(key, value, depth=0, persons=False) for key, value in event.items()}


def redacted(value: Any, *, name: str = "", persons: bool = False) -> Any:
    """Return `value`, which may be nested, without its secrets; and without its persons, unless they are to be seen."""
    return _value(name, value, depth=0, persons=persons)


def redact_text(text: str, *, persons: bool = False) -> str:
    """Return `text` without the secrets that stand in it; and without the persons, unless they are to be seen."""
    if _plain.fullmatch(text):
        return text
    text = text[:TEXT_LENGTH_MAX]
    for pattern, replacement in _SECRET_TEXTS if persons else (*_SECRET_TEXTS, *_PERSON_TEXTS):
        text = pattern.sub(replacement, text)
    return text


def _hide(value: Any) -> str:
    return MASK


def _initial(value: Any) -> str:
    return f"{str(value)[:1]}**"


def _phone(value: Any) -> str:
    number = str(value)
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else MASK


_Rule = tuple[re.Pattern[str], Callable[[Any], str]]
_SECRET_NAMES: list[_Rule] = [(re.compile(_HIDDEN + "$", re.IGNORECASE), _hide)]
_PERSON_NAMES: list[_Rule] = [
    (re.compile(_PERSON + "$", re.IGNORECASE), _initial),
    (re.compile(_PHONE + "$", re.IGNORECASE), _phone),
]


@functools.lru_cache(maxsize=512)
def _rule_of(name: str, *, persons: bool) -> Callable[[Any], str] | None:
    rules = _SECRET_NAMES if persons else (*_SECRET_NAMES, *_PERSON_NAMES)
    return next((rule for pattern, rule in rules if pattern.search(name)), None)


def _value(name: str, value: Any, *, depth: int, persons: bool) -> Any:
    if value is None or isinstance(value, bool) or value == "":
        return value
    rule = _rule_of(name, persons=persons)
    return rule(value) if rule else _by_type(value, name=name, depth=depth, persons=persons)


def _by_type(value: Any, *, name: str, depth: int, persons: bool) -> Any:
    if isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _nested(value, name=name, depth=depth + 1, persons=persons) if depth < DEPTH_MAX else "…"
    return redact_text(str(value), persons=persons)


def _nested(value: Any, *, name: str, depth: int, persons: bool) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), item, depth=depth, persons=persons) for key, item in value.items()}
    return [_value(name, item, depth=depth, persons=persons) for item in value]

"""
Errors that a caller can do something about.

An error is named after what could not be done and is defined beside the operation that raises it. It carries a
stable code, the HTTP status that fits (CONTRACTS), a sentence that says what to do and, where one is to blame,
the field. `payments.wire.exception_handler` puts it into the family's envelope; nobody else catches it.
"""

from typing import Any

from django.utils.functional import Promise


class OnetillError(Exception):
    status = 422
    code = "refused"
    message: str | Promise = ""

    def __init__(self, message: str | Promise | None = None, *, field: str = "", **context: Any) -> None:
        self.message = message if message is not None else self.message
        self.field = field
        self.context = context
        super().__init__(self.code)

    def sentence(self) -> str:
        text = str(self.message)
        return text % self.context if self.context else text


class Malformed(OnetillError):
    """The call cannot be read."""

    status = 400
    code = "malformed"


class Conflict(OnetillError):
    status = 409
    code = "conflict"


class NotFound(OnetillError):
    status = 404
    code = "not_found"


class TryAgain(OnetillError):
    """Nothing was done; the same call may succeed in a moment."""

    status = 503
    code = "try_again"

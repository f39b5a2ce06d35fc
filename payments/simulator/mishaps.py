"""Faults of the wire itself, whatever the gateway."""

import contextlib
import select
import socket
import time

from django.http import HttpRequest, HttpResponse

from payments.simulator.faults import Strike


def say_nothing(request: HttpRequest, strike: Strike) -> HttpResponse:
    """Keep the caller waiting until it hangs up or the fault's time is over, and then hang up without a word."""
    connection: socket.socket = request.META["gunicorn.socket"]
    select.select([connection], [], [], strike.wait_ms / 1000)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return HttpResponse(status=504)  # which nobody will read


def wait(strike: Strike) -> None:
    time.sleep(strike.wait_ms / 1000)

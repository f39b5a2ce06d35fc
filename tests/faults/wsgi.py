"""
The real application, with a way to die: a call that carries `X-Die-Before-Reply` is carried out whole, committed, and
then its process is killed before a byte of the answer leaves.
"""

import os
import signal

from config.wsgi import application as onetill


def application(environ, start_response):
    response = onetill(environ, start_response)
    if environ.get("HTTP_X_DIE_BEFORE_REPLY"):
        os.kill(os.getpid(), signal.SIGKILL)
    return response

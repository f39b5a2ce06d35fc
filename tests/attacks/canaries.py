"""
Canaries in every cage: secrets that a site is given, and every place in which they must not be heard.

A key is heard where any 24 characters of it stand, of a PEM without its line breaks; a shorter secret where it stands
whole. Percent-encoding hides none, nor does the base64 in which Celery's messages stand in Redis.
"""

import base64
import json
import os
import re
import secrets
from urllib.parse import unquote

import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.db import connection

WINDOW = 24
RUN = re.compile(rf"[A-Za-z0-9+/=_-]{{{WINDOW},}}")


class Canaries:
    """What must be heard nowhere."""

    def __init__(self):
        self.token, self.secret, self.password = (secrets.token_urlsafe(32) for _ in range(3))
        self.app_token, self.app_secret = (secrets.token_urlsafe(32) for _ in range(2))
        self.secret_key = secrets.token_urlsafe(48)
        self.encryption_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.private_key, self.new_private_key, self.client_key = (_private_pem() for _ in range(3))
        self.aes_key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.api_key = secrets.token_hex(16)
        self.oauth_secret = secrets.token_hex(8)
        self.also = set()  # login codes and cookies, as they come up
        self._short = {key: name for name, key in self.keys().items() if len(key) < WINDOW}
        self._windows = {
            key[n : n + WINDOW]: name for name, key in self.keys().items() for n in range(len(key) - WINDOW + 1)
        }

    def keys(self):
        """Name → secret, of a PEM its base64 alone."""
        return {name: _plain(key) for name, key in vars(self).items() if isinstance(key, str)}

    def heard_in(self, text):
        """Return what of them stands in `text`."""
        heard = {one for one in self.also if one in text} | {name for key, name in self._short.items() if key in text}
        joined = text.replace("\\n", "").replace("\n", "")
        for run in {run for each in (text, joined, unquote(joined)) for run in RUN.findall(each)}:
            windows = {run[n : n + WINDOW] for n in range(len(run) - WINDOW + 1)} & self._windows.keys()
            heard |= {self._windows[window] for window in windows}
        return heard


def _plain(key):
    return "".join(line for line in key.splitlines() if "-----" not in line)


def _private_pem():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, shape, serialization.NoEncryption()).decode()


def public(private_pem):
    key = serialization.load_pem_private_key(private_pem.encode(), password=None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def everything(canaries, site, *logs):
    """Return place → what of the canaries stands there. `logs` are those of other processes than the web's."""
    places = {"the log": site.log(), "Redis": redis_text(), **{f"table {name}": text for name, text in tables()}}
    places |= {f"log {n}": text for n, text in enumerate(logs)}
    places |= {f"answer {n}: {text[:90]}": text for n, text in enumerate(site.heard)}
    return {place: heard for place, text in places.items() if (heard := canaries.heard_in(text))}


def tables():
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{name}" t')
            yield name, "\n".join(row[0] for row in cursor.fetchall())


def redis_text():
    """Everything in Redis, the messages of Celery's queues with their bodies as they are read."""
    found = []
    with server() as redis_server:
        for key in redis_server.scan_iter():
            kind = redis_server.type(key)
            read = {b"string": redis_server.get, b"hash": redis_server.hgetall, b"set": redis_server.smembers}.get(kind)
            values = [read(key)] if read else redis_server.lrange(key, 0, -1) if kind == b"list" else []
            found += [f"{key!r} {value!r} {_message(value)}" for value in values]
    return "\n".join(found)


def server():
    """The Redis of this run's processes."""
    url = os.environ.get("REDIS_URL", settings.REDIS_URL).replace("redis+socket://", "unix://")
    return redis.Redis.from_url(url)


def _message(value):
    try:
        return base64.b64decode(json.loads(value)["body"]).decode()
    except (TypeError, ValueError, KeyError):  # no message of Celery's
        return ""

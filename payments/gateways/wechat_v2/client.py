"""WeChat Pay v2 over HTTP: signed XML goes out, bytes come back. What they mean is the gateway's to say."""

import os
import pathlib
import ssl
import tempfile

import httpx

from payments.gateways import bills
from payments.gateways.base import GatewayUnavailable
from payments.gateways.http import HttpClient, Limits

HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "User-Agent": "onetill"}


class WechatV2Client:
    """Refunds need the merchant's certificate and go over connections of their own, which present it."""

    def __init__(self, *, base_url: str, certified: ssl.SSLContext | None = None, limits: Limits | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._plain = HttpClient(limits=limits)
        self._certified = HttpClient(limits=limits, ssl_context=certified)
        self._bills = HttpClient(limits=limits or bills.LIMITS)

    def post(self, path: str, body: bytes, *, with_certificate: bool = False) -> bytes:
        """
        :raises GatewayUnavailable: no answer, or one that WeChat Pay's application did not write (it answers 200,
            also to errors). The request may have been carried out.
        """
        return self._post(self._certified if with_certificate else self._plain, path, body)

    def download(self, path: str, body: bytes) -> bytes:
        """As `post`, for what may be large and take its time."""
        return self._post(self._bills, path, body)

    def _post(self, http: HttpClient, path: str, body: bytes) -> bytes:
        answer = http.call("POST", self._base_url + path, headers=HEADERS, body=body)
        if answer.status != 200:
            raise GatewayUnavailable(f"HTTP {answer.status}")
        return answer.body


def certified_context(*, client_cert: str, client_key: str) -> ssl.SSLContext:
    """
    TLS that presents the merchant's certificate, both PEM, and trusts whom TLS usually trusts.

    :raises ValueError: they are not a certificate and its key; the sentence says so
    """
    context = httpx.create_ssl_context(trust_env=False)
    # OpenSSL reads certificates from files alone: one that nobody else may read, gone before the next line.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{client_cert.strip()}\n{client_key.strip()}\n")
        # An encrypted key must not make a server ask its terminal for the passphrase.
        context.load_cert_chain(path, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError("client_key is not the key of client_cert") from error
        raise ValueError("client_cert and client_key must be a certificate and its key, unencrypted, as PEM") from error
    finally:
        pathlib.Path(path).unlink()
    return context

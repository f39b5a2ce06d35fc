"""WeChat Pay APIv3 over HTTP: signed JSON goes out, an answer with its headers comes back. The gateway judges it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from payments.gateways.http import Answer, HttpClient, Limits

HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "onetill"}


class WechatV3Client:
    def __init__(self, *, base_url: str, limits: Limits | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = HttpClient(limits=limits)

    def target(self, path: str) -> str:
        """The path as it will stand in the request line, which is what a request signs."""
        return urlsplit(self._base_url).path + path

    def call(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """
        :raises GatewayUnavailable: no complete answer. The request may have been carried out.
        """
        return self._http.call(method, self._base_url + path, headers={**HEADERS, **headers}, body=body)

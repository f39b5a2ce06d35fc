"""WeChat Pay APIv3 over HTTP: signed JSON goes out, an answer with its headers comes back. The gateway judges it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from payments.gateways import bills
from payments.gateways.base import GatewayUnavailable
from payments.gateways.http import Answer, HttpClient, Limits

HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "onetill"}


class WechatV3Client:
    def __init__(self, *, base_url: str, limits: Limits | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = HttpClient(limits=limits)
        self._bills = HttpClient(limits=limits or bills.LIMITS)

    def target(self, path: str) -> str:
        """The path as it will stand in the request line, which is what a request signs."""
        return urlsplit(self._base_url).path + path

    def call(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """
        :raises GatewayUnavailable: no complete answer. The request may have been carried out.
        """
        return self._http.call(method, self._base_url + path, headers={**HEADERS, **headers}, body=body)

    def path(self, url: str) -> str:
        """
        The path, with its query, of an address of WeChat Pay's.

        :raises GatewayUnavailable: it leads elsewhere, where we do not follow
        """
        if not url.startswith(f"{self._base_url}/") or not bills.is_address(url):
            raise GatewayUnavailable(f"an address elsewhere: {url[:64]!r}")
        return url.removeprefix(self._base_url)

    def download(self, path: str, *, headers: Mapping[str, str]) -> bytes:
        """
        :raises GatewayUnavailable: no complete file
        """
        answer = self._bills.call("GET", self._base_url + path, headers={**HEADERS, "Accept": "*/*", **headers})
        if answer.status != 200:
            raise GatewayUnavailable(f"HTTP {answer.status}")
        return answer.body

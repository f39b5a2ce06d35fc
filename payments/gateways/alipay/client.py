"""Alipay over HTTP: a signed form goes out, bytes come back. What they mean is the gateway's to say."""

from urllib.parse import urlsplit

from payments.gateways import bills
from payments.gateways.base import GatewayUnavailable
from payments.gateways.http import HttpClient, Limits

HEADERS = {
    # Alipay reads the form in the charset named here; without one it guesses.
    "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
    "Accept": "application/json",
    "User-Agent": "onetill",
}
# Bills lie beside the gateway: openapi.alipay.com hands out addresses at dwbillcenter.alipay.com, some of them http.
DOMAINS = (".alipay.com", ".alipaydev.com")


class AlipayClient:
    def __init__(self, *, base_url: str, limits: Limits | None = None) -> None:
        self._base_url = base_url
        self._http = HttpClient(limits=limits)
        self._bills = HttpClient(limits=limits or bills.LIMITS)

    def post(self, form: str) -> bytes:
        """
        :raises GatewayUnavailable: no answer, or one that Alipay's application did not write (it answers 200, also
            to errors). The request may have been carried out.
        """
        answer = self._http.call("POST", self._base_url, headers=HEADERS, body=form.encode())
        if answer.status != 200:
            raise GatewayUnavailable(f"HTTP {answer.status}")
        return answer.body

    def download(self, url: str) -> bytes:
        """
        A file from the gateway's own site, or from another host of Alipay's where the gateway is one.

        :raises GatewayUnavailable: no complete file, or an address elsewhere, where we do not follow
        """
        there = address(url, base_url=self._base_url)
        answer = self._bills.call("GET", there, headers={"User-Agent": HEADERS["User-Agent"]})
        if answer.status != 200:
            raise GatewayUnavailable(f"HTTP {answer.status}")
        return answer.body


def address(url: str, *, base_url: str) -> str:
    """
    Where a file is fetched that the gateway at `base_url` says to be at `url`.

    :raises GatewayUnavailable: elsewhere
    """
    if not bills.is_address(url):
        raise GatewayUnavailable(f"not an address: {url[:64]!r}")
    base = urlsplit(base_url)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise GatewayUnavailable(f"not an address: {url[:64]!r}") from error
    if (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
        return url
    siblings = any((base.hostname or "").endswith(domain) and host.endswith(domain) for domain in DOMAINS)
    if siblings and parts.netloc == host:
        return parts._replace(scheme="https").geturl()
    raise GatewayUnavailable(f"an address elsewhere: {url[:64]!r}")

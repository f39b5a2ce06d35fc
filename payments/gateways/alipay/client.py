"""Alipay over HTTP: a signed form goes out, bytes come back. What they mean is the gateway's to say."""

from payments.gateways.base import GatewayUnavailable
from payments.gateways.http import HttpClient, Limits

HEADERS = {
    # Alipay reads the form in the charset named here; without one it guesses.
    "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
    "Accept": "application/json",
    "User-Agent": "onetill",
}


class AlipayClient:
    def __init__(self, *, base_url: str, limits: Limits | None = None) -> None:
        self._base_url = base_url
        self._http = HttpClient(limits=limits)

    def post(self, form: str) -> bytes:
        """
        :raises GatewayUnavailable: no answer, or one that Alipay's application did not write (it answers 200, also
            to errors). The request may have been carried out.
        """
        answer = self._http.call("POST", self._base_url, headers=HEADERS, body=form.encode())
        if answer.status != 200:
            raise GatewayUnavailable(f"HTTP {answer.status}")
        return answer.body

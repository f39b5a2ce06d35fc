"""Calling our house and the gateways' control as people do who lose their patience late: what fails is sent again."""

import contextlib
import json
import re
import time

import httpx

from tests.calls import body, signed

TIMEOUT_S = 30
PATIENCE_S = 90  # a web that was killed is back by then, on a machine of any speed
PAUSE_S = 0.2
TRY_AGAIN = (429, 503)


class Caller:
    """One person's connections. Not to be shared among threads: it keeps cookies."""

    def __init__(self, *, url, simulator, tally):
        self._tally, self._control = tally, f"{simulator.control}"
        # Plain HTTP: nothing to verify, and loading the machine's certificates is slow.
        options = {"timeout": TIMEOUT_S, "trust_env": False, "verify": False}
        self._http = httpx.Client(base_url=url, **options)
        self._at_the_gateway = httpx.Client(follow_redirects=True, **options)

    def close(self):
        self._http.close()
        self._at_the_gateway.close()

    def api(self, shop, path, params, *, is_signed=True, patience_s=PATIENCE_S):
        """POST to our API until it is answered with something else than `try again`; the answer's status and JSON."""

        def send():
            told = signed(params, secret=shop.secret, sign_type=shop.sign_type) if is_signed else params
            headers = {"authorization": f"Token {shop.token}", "content-type": "application/json"}
            return self._http.post(path, content=body(told), headers=headers)

        return self._insist(re.sub("/[0-9]+", "/…", path), send, patience_s=patience_s)

    def look_up(self, shop, path):
        headers = {"authorization": f"Token {shop.token}"}
        return self._insist("/api/orders/…", lambda: self._http.get(path, headers=headers), patience_s=PATIENCE_S)

    def page(self, path, *, address, form=None):
        """Open a page of ours, or send its form; the response behind the redirect, None if there was none in time."""

        def send():
            headers = {"x-forwarded-for": address, "accept-language": "en"}
            if form is None:
                return self._http.get(path, headers=headers)
            token = self._http.cookies.get("csrftoken", "")
            data = form | {"csrfmiddlewaretoken": token}
            return self._http.post(path, data=data, headers=headers, follow_redirects=True)

        return self._insist("cashier" if form is None else "cashier's form", send, patience_s=10, is_page=True)

    def post_raw(self, path, *, content, content_type):
        """Send bytes to where gateways send theirs; the response, None if there was none."""
        try:
            response = self._http.post(path, content=content, headers={"content-type": content_type})
        except httpx.TransportError:
            return None
        self._note(path, response)
        return response

    def visit(self, url):
        """Open an address of the gateway's, as a browser does: where nobody answers, its person leaves."""
        with contextlib.suppress(httpx.TransportError):
            self._at_the_gateway.get(url, headers={"user-agent": "Mobile"})

    def control(self, method, path, fields=None):
        """Ask the simulator's control; None where it refuses, because things are no longer as they were."""
        try:
            response = self._at_the_gateway.request(method, f"{self._control}{path}", json=fields)
        except httpx.TransportError:  # an idle connection, closed in the very moment that it was used
            response = self._at_the_gateway.request(method, f"{self._control}{path}", json=fields)
        return response.json() if response.status_code == 200 else None

    def _insist(self, route, send, *, patience_s, is_page=False):
        deadline = time.monotonic() + patience_s
        while True:
            try:
                response = send()
            except httpx.TransportError as error:
                response = None
                self._tally.add("answers", f"{route} {type(error).__name__}")
            else:
                self._note(route, response)
                if response.status_code not in TRY_AGAIN:
                    return response if is_page else (response.status_code, response.json())
            if time.monotonic() > deadline:
                return None if is_page else (response.status_code if response else 0, {})
            time.sleep(PAUSE_S)

    def _note(self, route, response):
        status = response.status_code
        self._tally.add("answers", f"{route} {status}{_code(response)}")
        if status >= 500 and status != 503:
            self._tally.trouble(f"{route} was answered {status}: {response.text[:300]}")


def _code(response):
    """What the refusal is called, with a space before it."""
    if response.status_code == 200 or "json" not in response.headers.get("content-type", ""):
        return ""
    try:
        answer = response.json()
    except json.JSONDecodeError:
        return ""
    code = answer.get("error_code") if isinstance(answer, dict) else ""
    return f" {code}" if code else ""

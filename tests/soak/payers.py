"""
The people: each order is one story, drawn from the seed and the order's number alone, whoever tells it and when.

A story makes an order, starts attempts at paying it in the ways there are, and does at the gateway whatever payers do:
pay, pay twice, pay another amount, only look, leave. Calls are repeated, notifications sent again, some of them forged.
The shop closes some orders and gives some of the others back; of some the time runs out.
"""

import html
import queue
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.soak.calls import Caller
from tests.soak.dealings import Dealings

PUSH_PATIENCE_S = 4  # a gateway that has just been given three faults may not answer sooner
WECHAT, ALIPAY = "/rest/wx/push_order", "/rest/ali/push_order"
CASHIER_WAYS = ("alipay:qr", "alipay:page", "alipay:wap", "wechat:qr", "wechat:wap")
NOTIFY = {"alipay": "/rest/pub/ali/pay_notify", "wechat": "/rest/pub/wx/pay_notify"}
BELIEVED = ("success", "SUCCESS")


class Crowd:
    """
    `orders` stories, told by `threads` at once. `done` says how many have ended.

    `expiring` has the numbers of orders whose time is to run out now, for whoever can set the clock.
    """

    def __init__(self, *, seed, orders, threads, house, shops, book, tally):
        self._seed, self.orders, self._tally = seed, orders, tally
        self._house, self._shops, self._book = house, shops, book
        self._own, self.expiring = threading.local(), queue.SimpleQueue()
        self._callers, self._lock, self.done = [], threading.Lock(), 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="payer")
        self._stories = []

    def __enter__(self):
        self._stories = [self._pool.submit(self._tell, n) for n in range(self.orders)]
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)
        for caller in self._callers:
            caller.close()

    @property
    def is_over(self):
        return self.done == self.orders

    def _tell(self, n):
        try:
            rng = random.Random(f"{self._seed}-{n}")
            Story(rng=rng, n=n, shop=rng.choice(self._shops), caller=self._caller(), book=self._book, tally=self._tally,
                  name=f"S{self._seed}-{n}", expire=self.expiring.put).tell()  # fmt: skip
        except Exception as error:  # noqa: BLE001  a story that broke off is a trouble to report, not the end of all
            self._tally.trouble(f"story {n} broke off: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self.done += 1

    def _caller(self):
        if not hasattr(self._own, "caller"):
            self._own.caller = Caller(url=self._house.url, simulator=self._house.simulator, tally=self._tally)
            with self._lock:
                self._callers.append(self._own.caller)
        return self._own.caller


class Story:
    def __init__(self, *, rng, n, name, shop, caller, book, tally, expire):
        self._rng, self._shop, self._caller, self._book, self._tally = rng, shop, caller, book, tally
        self._deal = Dealings(rng=rng, name=name, shop=shop, caller=caller, tally=tally)
        self._address = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        self._expire = expire

    def tell(self):
        rng = self._rng
        if rng.random() < 0.1:
            self._deal.grant()
        if not self._deal.place():
            return
        for to_come in reversed(range(rng.choice((0, 1, 1, 1, 2, 2, 2, 3)))):
            self._begin_to_pay()
            if not to_come or rng.random() < 0.3:
                self._end_early()
                self._act_at_the_gateway()
        if rng.random() < 0.35:
            self._deal.refund()
        if rng.random() < 0.1:
            self._deal.close()
        if rng.random() < 0.2:
            self._resend()
        if rng.random() < 0.1:
            self._forge()
        if rng.random() < 0.3:
            self._deal.look_up()

    def _end_early(self):
        """Before the payer acts, who may be too late then."""
        (what,) = self._rng.choices(("", "close", "expire"), (84, 8, 8))
        if what == "close":
            self._deal.close()
        elif what == "expire":
            self._expire(self._deal.number)

    # --- the ways to pay --------------------------------------------------------------------------------------------

    def _begin_to_pay(self):
        begin = self._rng.choice((self._push_wechat, self._push_alipay, self._push_alipay, self._use_cashier))
        begin()

    def _push(self, path, kind):
        params = {"order_type": self._deal.order_type, "order_number": self._deal.number, "type": kind}
        for _time in range(self._rng.choice((1, 1, 2))):
            status, answer = self._caller.api(
                self._shop, path, params, is_signed=False, patience_s=PUSH_PATIENCE_S
            )  # fmt: skip
        self._tally.add("pushes", f"{kind} {status}")
        return answer["data"] if status == 200 else {}

    def _push_wechat(self):
        pushed = self._push(WECHAT, "NATIVE")
        if pushed and self._rng.random() < 0.7:
            self._caller.control("POST", "wechat/scan/", {"code_url": pushed["codeUrl"]})

    def _push_alipay(self):
        kind = self._rng.choice(("QRCODE", "APP"))
        pushed = self._push(ALIPAY, kind)
        if pushed and kind == "APP":
            pays = self._rng.random() < 0.5
            self._caller.control("POST", "app/", {"order_string": pushed["order_string"], "pay": pays})
        elif pushed and self._rng.random() < 0.7:
            self._scan()

    def _use_cashier(self):
        """Open the page, choose a way, sometimes another one at once, and follow where it leads."""
        path = f"/app/payment/wpay/{self._deal.number}/"
        if self._caller.page(path, address=self._address) is None:
            return
        for way in self._rng.sample(CASHIER_WAYS, self._rng.choice((1, 1, 2))):
            page = self._caller.page(path, address=self._address, form={"way": way})
            self._tally.add("pushes", f"cashier {way} {page.status_code if page else 'none'}")
            onward = re.search(r'class="button" href="(http[^"]+)"', page.text) if page else None
            if onward and self._rng.random() < 0.8:
                self._caller.visit(html.unescape(onward[1]))

    # --- at the gateway ---------------------------------------------------------------------------------------------

    def _scan(self):
        for trade in self._book.of_order(self._deal.number):
            self._caller.control("POST", f"trades/{trade.number}/open")

    def _act_at_the_gateway(self):
        """With each attempt that can be paid, newest first, do something; often nothing with the older ones."""
        payable = [trade for trade in self._book.of_order(self._deal.number) if trade.is_payable]
        for trade in payable[::-1]:
            self._act(trade)
            if self._rng.random() < 0.6:
                return

    def _act(self, trade):
        (act,) = self._rng.choices(("pay", "pay_wrong", "open", "close", "leave"), (60, 4, 12, 4, 20))
        if act == "leave":
            return
        fields = {"amount_fen": trade.amount_fen + self._rng.choice((1, 100))} if act == "pay_wrong" else {}
        done = self._caller.control("POST", f"trades/{trade.number}/{act.removesuffix('_wrong')}", fields)
        self._tally.add("payers", act if done else f"{act}, too late")

    def _told(self):
        """The gateway's notifications about this order."""
        return [
            notice
            for trade in self._book.of_order(self._deal.number)
            for notice in self._caller.control("GET", f"notifications/?out_trade_no={trade.number}")["notifications"]
        ]

    def _resend(self):
        for notice in self._told():
            at_once = self._rng.choice((1, 3, 6))
            self._caller.control("POST", f"notifications/{notice['id']}/resend", {"times": 6, "at_once": at_once})
            self._tally.add("payers", "sent a notification again")

    def _forge(self):
        """Change a digit of what the gateway said and send it as if one were the gateway."""
        sent = [(notice["url"], delivery["sent"]) for notice in self._told() for delivery in notice["deliveries"]]
        for url, text in sent[:2]:
            digits = [match.start() for match in re.finditer("[0-9]", text)]
            at = self._rng.choice(digits)
            forged = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
            kind = {"<": "text/xml", "{": "application/json"}.get(text[0], "application/x-www-form-urlencoded")
            path = NOTIFY["alipay" if "/ali/" in url else "wechat"]
            response = self._caller.post_raw(path, content=forged.encode(), content_type=kind)
            self._tally.add("payers", "forged a notification")
            if response is not None and any(word in response.text for word in BELIEVED):
                self._tally.trouble(f"a forgery was believed: {forged[:2_000]} — {response.text}")

"""
What a shop does about one order: grant points, place it, look it up, give it back, close it.

Half of the calls are sent twice, and must be answered with the same. What the shop was told must stand in the end.
"""

import time

from tests.calls import Text

ORDER_TYPES = ("Order", "Wallet", "Appointment")
CLOSE_PATIENCE_S = 4  # a gateway that has just been given three faults may not answer sooner
PAID_PATIENCE_S = 2  # so long a shop waits for a payment that it hopes to refund
NOT_REFUNDABLE = {"order_not_paid", "order_closed", "order_refunded"}


class Dealings:
    """`number` is ours, "" until the order is placed; `order_type` document 003's word for what it is."""

    def __init__(self, *, rng, name, shop, caller, tally):
        self._rng, self._name, self._shop, self._caller, self._tally = rng, name, shop, caller, tally
        self.number, self.order_type, self._is_checkout = "", "Order", False
        self._total_fen = self._shipping_fen = 0

    def grant(self):
        user_id = self._rng.choice(self._shop.user_ids)
        params = {
            "grant_no": self._name, "kind": "points", "direction": "in",
            "amount": _yuan(self._rng.randrange(1, 9_000)), "reason": "soak",
        }  # fmt: skip
        status, answer = self._caller.api(self._shop, f"/api/customers/{user_id}/grants", params)
        if status != 200:
            self._tally.trouble(f"grant {self._name}: {status} {answer}")

    def place(self):
        """Make an order. Returns whether there is one."""
        self._is_checkout = self._rng.random() < 0.4
        place = self._place_checkout if self._is_checkout else self._place_direct
        self.number = place()
        if self.number:
            self._tally.told(number=self.number, client_no=self._name)
        return bool(self.number)

    def _place_checkout(self):
        self._total_fen, self._shipping_fen = self._rng.randrange(100, 9_000), self._rng.randrange(0, 100)
        user_id = self._rng.choice(self._shop.user_ids)
        params = {
            "out_trade_no": self._name, "client_pay_id": "", "total_amount": _yuan(self._total_fen),
            "shipping_fee": _yuan(self._shipping_fen), "redirect_url": "https://www.example.com", "user_id": user_id,
            "ee_no": f"a{user_id}",
        }  # fmt: skip
        return self._twice("/api/checkout/pay/", params, lambda answer: answer["result"]["bb_trade_no"])

    def _place_direct(self):
        self.order_type, self._total_fen = self._rng.choice(ORDER_TYPES), self._rng.randrange(1, 9_000)
        params = {
            "order_type": self.order_type, "user_id": self._rng.choice(self._shop.user_ids), "title": "年货 №1",
            "total_amount": _yuan(self._total_fen), "out_trade_no": self._name,
        }  # fmt: skip
        if self.order_type == "Appointment":
            params |= {"appointment_time": "2018-08-03 09:30:00", "appointment_for": "林小满"}
        return self._twice("/rest/order", params, lambda answer: answer["data"]["order_number"], is_signed=False)

    def _twice(self, path, params, number_in, *, is_signed=True):
        """Send a call, half of the time once more; "" if it was not answered in time or refused."""
        times = self._rng.choice((1, 2))
        answers = [self._caller.api(self._shop, path, params, is_signed=is_signed) for _time in range(times)]
        numbers = {number_in(answer) for status, answer in answers if status == 200}
        if {status for status, _answer in answers} != {200} or len(numbers) != 1:
            self._tally.trouble(f"{path} {self._name}: {answers}")
        return min(numbers, default="")

    def look_up(self):
        status, answer = self._caller.look_up(self._shop, f"/api/orders/{self.number}")
        if status != 200:
            self._tally.trouble(f"order {self.number} was placed, and looking it up says {status} {answer}")

    # --- giving back ------------------------------------------------------------------------------------------------

    def refund(self):
        """Ask for a part, another one, all, or more than there is, under refund numbers of the shop's own."""
        for n in range(self._rng.choice((1, 1, 2, 3))):
            what = self._rng.choice(("part", "part", "all", "too much"))
            if not self._refund(refund_no=f"{self._name}-R{n}", what=what):
                return

    def _refund(self, *, refund_no, what):
        """Ask for one refund, half of the time twice. Returns whether the order can be refunded at all."""
        path, named = "/rest/refund", {"order_number": self.number}
        if self._is_checkout and self._rng.random() < 0.5:
            path, named = "/api/checkout/refund/", {"out_trade_no": self._name}
        goods_fen, shipping_fen = self._amounts(what)
        params = {
            "refund_no": refund_no, **named, "goods_amount": _yuan(goods_fen), "shipping_amount": _yuan(shipping_fen),
            "reason": "少发一件",
        }  # fmt: skip
        status, answer = self._asked(path, params)
        code = answer.get("error_code") or answer.get("result_code", "")
        self._tally.add("refunds asked for", f"{what} {status if status == 200 else code}")
        if status != 200:
            if code != "refund_exceeds" and code not in NOT_REFUNDABLE:
                self._tally.trouble(f"{path} {refund_no}: {status} {answer}")
            return code == "refund_exceeds"
        if what == "too much":
            self._tally.trouble(f"{refund_no}: more than {self.number} cost was taken for a refund: {answer}")
        for _again in range(self._rng.choice((0, 1))):
            again = self._caller.api(self._shop, path, params)
            if (again[0], _refund_number(again[1])) != (200, _refund_number(answer)):
                self._tally.trouble(f"{refund_no} was answered {answer}, and then {again}")
        self._tally.told_refund(number=_refund_number(answer), refund_no=refund_no)
        return True

    def _amounts(self, what):
        goods_fen = self._total_fen - self._shipping_fen
        match what:
            case "all":
                return goods_fen, self._shipping_fen
            case "too much":
                return self._rng.choice(((goods_fen + 1, 0), (1, self._shipping_fen + 1)))
            case _:
                return self._rng.randrange(1, goods_fen + 1), self._rng.randrange(0, self._shipping_fen + 1)

    def _asked(self, path, params):
        """A shop that hears that nothing is paid yet waits a little, in case that the payment is on its way."""
        deadline = time.monotonic() + PAID_PATIENCE_S
        while True:
            status, answer = self._caller.api(self._shop, path, params)
            code = answer.get("error_code") or answer.get("result_code")
            if code != "order_not_paid" or time.monotonic() > deadline:
                return status, answer
            time.sleep(0.3)

    # --- closing ----------------------------------------------------------------------------------------------------

    def close(self):
        path, named = "/rest/close", {"order_number": self.number}
        if self._is_checkout and self._rng.random() < 0.5:
            path, named = "/api/checkout/close/", {"out_trade_no": self._name}
        status, answer = self._caller.api(self._shop, path, named, patience_s=CLOSE_PATIENCE_S)
        code = answer.get("error_code") or answer.get("result_code", "")
        self._tally.add("closes asked for", f"{status} {'' if status == 200 else code}".strip())
        if status == 200:
            self._tally.told_closed(number=self.number)
        elif code not in {"order_paid", "gateway_unanswered"}:
            self._tally.trouble(f"{path} {self.number}: {status} {answer}")


def _refund_number(answer):
    told = answer.get("data") or answer.get("result") or {}
    return told.get("refund_number", "")


def _yuan(fen):
    return Text(f"{fen // 100}.{fen % 100:02d}")

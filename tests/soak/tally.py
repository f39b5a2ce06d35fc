"""What many threads saw, counted in one place."""

import threading
from collections import Counter


class Tally:
    """`counts` by subject and word; `troubles` are sentences about what must never be seen."""

    def __init__(self):
        self._lock = threading.Lock()
        self.counts = {}
        self.troubles = []
        self.orders = {}  # our number → the client's own, of every order we were told of
        self.refunds = {}  # the same of refunds
        self.closed = set()  # the orders that we were told are closed

    def add(self, subject, word):
        with self._lock:
            self.counts.setdefault(subject, Counter())[word] += 1

    def trouble(self, sentence):
        with self._lock:
            self.troubles.append(sentence)

    def told(self, *, number, client_no):
        with self._lock:
            if self.orders.setdefault(number, client_no) != client_no:
                self.troubles.append(f"order {number} was answered for {client_no} and for {self.orders[number]}")

    def told_refund(self, *, number, refund_no):
        with self._lock:
            if self.refunds.setdefault(number, refund_no) != refund_no:
                self.troubles.append(f"refund {number} was answered for {refund_no} and for {self.refunds[number]}")

    def told_closed(self, *, number):
        with self._lock:
            self.closed.add(number)

    def of(self, subject):
        return self.counts.get(subject, Counter())

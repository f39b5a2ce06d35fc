"""
python -m bench.desk

P8 of staff's lists, P9: what the back-office's pages take on the database of DATABASE_URL, which `demo_volume` filled.
Prints milliseconds by page as JSON; `measure` asks for it on one database or on a small and a large one.

A page is asked for through all of our middleware, in this process, and rendered.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import django

from bench.report import Line, count

TIMES = 3
FAILED_MS = 60_000  # a page that PostgreSQL gave up
SMALL, LARGE = "BENCH_VOLUME_SMALL", "BENCH_VOLUME_LARGE"
STAFF = "bench-desk"


def measure(*, url: str) -> list[Line]:
    """Return P8 and P9 of the databases that the environment names or, where it names none, of `url`."""
    large = _asked(os.environ.get(LARGE, url))
    lines = [
        count(f"P9 {name}, ms", value=round(ms), at_most=at_most, shame=1_000)
        for name, ms in large.items()
        for kind, at_most in (("look-up", 100), ("order page", 150), ("dashboard", 300))
        if name.startswith(kind)
    ]
    if SMALL not in os.environ:
        slowest = max((name for name in large if name.startswith("list")), key=large.__getitem__)
        return [*lines, Line(name="P8 slowest of staff's lists, ms", ours=slowest, value=round(large[slowest]))]
    small = _asked(os.environ[SMALL])
    ratios = {name: ms / small[name] for name, ms in large.items() if name in small}
    return lines + [
        Line(
            name=f"P8 {what}, slowest by its small one", ours=f"{large[name]:.0f} ms", spread=name,
            reference=f"{small[name]:.0f} ms", value=round(ratios[name], 2), goal=1.5, shame=3, at_least=False,
        )
        for what, kind in (("staff's lists", "list"), ("staff's lists by filter", "filtered"))
        for name in [max((name for name in ratios if name.startswith(kind)), key=ratios.__getitem__)]
    ]  # fmt: skip


def _asked(url: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.desk"],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


class Desk:
    """Somebody who sees everything, at their browser."""

    def __init__(self) -> None:
        from django.contrib.auth import get_user_model  # noqa: PLC0415  once Django is set up
        from django.test import Client  # noqa: PLC0415
        from django.test.utils import setup_test_environment  # noqa: PLC0415

        setup_test_environment()  # answers tell their context
        users = get_user_model().objects
        user = users.filter(username=STAFF).first() or users.create_superuser(STAFF)
        self.browser = Client(raise_request_exception=False)
        self.browser.force_login(user)

    def ms(self, path: str) -> float:
        """Return the fastest of some answers: neighbours on the machine make them slower, nobody makes them faster."""
        times = []
        for _n in range(TIMES):
            started = time.perf_counter()
            answer = self.browser.get(path)
            times.append((time.perf_counter() - started) * 1_000)
            if answer.status_code not in {200, 302}:  # a look-up leads to the one order that it finds
                return FAILED_MS
        return min(times)

    def filters(self, path: str) -> Iterator[str]:
        """Yield the questions that a list's filters offer."""
        changes = self.browser.get(path).context["cl"]
        for filtered in changes.filter_specs:
            for choice in filtered.choices(changes):
                if (asked := choice.get("query_string", "")).strip("?"):
                    yield asked
                for name, field in choice["form"].fields.items() if "form" in choice else ():
                    yield from (f"?{name}={value}" for value, _label in getattr(field, "choices", ()) if str(value))


def pages() -> dict[str, float]:
    """Return what each page takes, in milliseconds."""
    from django.contrib import admin  # noqa: PLC0415  once Django is set up
    from django.urls import reverse  # noqa: PLC0415

    desk = Desk()
    found = {"dashboard": desk.ms(reverse("admin:index"))}
    described = [model._meta for model in admin.site._registry]  # noqa: SLF001  Django documents _meta
    lists = [f"{one.app_label}_{one.model_name}" for one in described]
    for name in sorted(lists):
        path = reverse(f"admin:{name}_changelist")
        found[f"list {name}"] = desk.ms(path)
        found |= {f"filtered {name} {asked}": desk.ms(f"{path}{asked}") for asked in desk.filters(path)}
    orders = reverse("admin:payments_order_changelist")
    found |= {f"list payments_order page {page}": desk.ms(f"{orders}?p={page}") for page in (2, 1_000)}
    for ends in _days():
        for name, field in (("order", "created_at"), ("transfer", "at"), ("auditrow", "at"), ("charge", "created_at")):
            path = reverse(f"admin:payments_{name}_changelist")
            asked = f"?{field}_from={ends[0]}&{field}_to={ends[1]}"
            found[f"filtered payments_{name} {asked}"] = desk.ms(f"{path}{asked}")
    order, numbers = _numbers()
    found["order page"] = desk.ms(reverse("admin:payments_order_change", args=[order.pk]))
    look_up = reverse("admin:look_up")
    return found | {f"look-up by {kind}": desk.ms(f"{look_up}?q={number}") for kind, number in numbers.items()}


def _days() -> list[tuple[str, str]]:
    """Return a day, a month and what is older, a third into the history."""
    from django.utils import timezone  # noqa: PLC0415

    from payments.models import Order  # noqa: PLC0415

    began, until = (Order.objects.order_by(way).values_list("created_at", flat=True)[0] for way in ("pk", "-pk"))
    day = timezone.localdate(began + (until - began) / 3)
    return [(f"{day}", f"{day}"), (f"{day.replace(day=1)}", f"{day}"), ("", f"{day}"), (f"{day}", "")]


def _numbers() -> tuple[object, dict[str, str]]:
    """Return an order that was refunded, and every number by which it can be found."""
    from payments.models import Order, Refund  # noqa: PLC0415

    newest = Refund.objects.filter(status="succeeded").order_by("-pk").values("order")[:5_000]
    order = (
        Order.objects.filter(pk__in=newest, family="checkout", points_fen__gt=0, cash_fen__gt=0)
        .exclude(client_pay_no="").select_related("customer").order_by("pk")[0]
    )  # fmt: skip
    charge = order.charges.get(tender__in=("alipay", "wechat"), status="succeeded")
    refund = order.refunds.get()
    return order, {
        "our number": order.number,
        "the client's number": order.client_order_no,
        "the client's payment": order.client_pay_no,
        "the charge": charge.number,
        "the gateway's number": charge.gateway_trade_no,
        "the refund": refund.number,
        "the client's refund": refund.refund_no,
        "the leg": refund.legs.last().number,
        "the phone": order.customer.phone,
        "the employee number": order.customer.ee_no,
        "the user number": order.customer.user_id,
        "what is none": "20180615300000359999",
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps(pages()))

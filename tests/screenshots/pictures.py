"""Where a browser goes and what it takes pictures of, in both languages."""

import contextlib
import os

from playwright.sync_api import expect, sync_playwright

from config import demo
from payments.models import StaffSession
from tests.simulator_process import ROOT

IMAGES = ROOT / "docs" / "images"
PATIENCE_MS = 60_000
SUFFIXES = {"en": "", "zh-CN": ".zh-CN"}
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
MENU_WIDTH, ABOVE = 288, 16
WITHOUT_MENU = ("order", "refund", "timeline")
# The file, who looks, where, and how tall the picture is.
PLAIN = (
    ("dashboard", "demo", "", 1_000),
    ("look-up", "demo-look-up", "look-up/?q=a10001", 420),
    ("order", "demo-refund", "payments/order/{order}/change/", 1_480),
    ("approvals", "demo-approve", "payments/refund/to-approve/", 620),
    ("export", "demo-finance", "payments/export/{export}/change/", 640),
    ("security", "demo-finance", "security/", 720),
    ("one-time-codes", "demo-look-up", "security/second-factor/", 560),
)


def take(*, site, shown, executable, say):
    """Take every picture. Playwright's loop runs in this thread, which Django takes for an async context."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        for language in SUFFIXES:
            StaffSession.objects.all().delete()
            say(f"Taking pictures in {language}")
            _take_all(Desk(browser, site=site, shown=shown, language=language))
        browser.close()


def _take_all(desk):
    places = {"order": desk.shown.order.pk, "export": desk.shown.export.pk}
    with desk.sitting() as page:
        page.goto(f"{desk.site}/admin/")
        desk.picture(page, "log-in", height=620)
    for name, who, path, height in PLAIN:
        with desk.sitting(who=who) as page:
            page.goto(f"{desk.site}/admin/{path.format(**places)}")
            desk.picture(page, name, height=height)
    order = f"{desk.site}/admin/payments/order/{desk.shown.order.pk}"
    with desk.sitting(who="demo-refund") as page:
        page.goto(f"{order}/refund/")
        page.fill("input[name=goods]", "200")
        page.locator("button[name=all][value=shipping]").click()
        expect(page.locator("#plan-table tbody tr").first).to_be_visible()
        page.fill("input[name=reason]", "尺码不合" if desk.language == "zh-CN" else "wrong size")
        desk.picture(page, "refund", height=1_120)
        page.goto(f"{desk.site}/admin/payments/refundbatch/new/")
        page.fill("textarea", "\n".join(desk.shown.many))
        page.locator("#content-main button[type=submit]").click()
        expect(page.locator("#can tbody tr").first).to_be_visible()
        desk.picture(page, "refund-many", height=960)
    with desk.sitting(who="demo-refund") as page:
        page.goto(f"{order}/change/")
        desk.picture(page, "timeline", height=1_240, begins=page.locator("#timeline"))
    with desk.sitting(who="demo-refund", scheme="dark") as page:
        page.goto(f"{order}/change/")
        desk.picture(page, "order-dark", height=900)
    with desk.sitting(who="demo-refund", size=PHONE) as page:
        page.goto(f"{order}/change/")
        desk.picture(page, "order-phone", height=1_300)


class Desk:
    def __init__(self, browser, *, site, shown, language):
        self._browser, self.site, self.shown, self.language = browser, site, shown, language

    @contextlib.contextmanager
    def sitting(self, *, who="", size=DESKTOP, scheme="light"):
        """Somebody sits down at a browser and logs in."""
        context = self._browser.new_context(viewport=size, locale=self.language, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        if who:
            self._log_in(page, who)
        yield page
        context.close()

    def _log_in(self, page, who):
        page.goto(f"{self.site}/admin/login/")
        page.fill("input[name=username]", who)
        page.fill("input[name=password]", demo.STAFF["password"])
        if who == "demo-finance":
            page.fill("input[name=code]", self.shown.recovery_codes.pop())
        page.press("input[name=password]", "Enter")
        expect(page.locator("input[name=username]")).to_have_count(0)

    def picture(self, page, name, *, height, begins=None):
        """Of the page's top or, where it is told what the picture begins with, of what is below that."""
        page.evaluate("scrollTo(0, 0)")
        top = begins.bounding_box()["y"] - ABOVE if begins else 0
        page.set_viewport_size({**page.viewport_size, "height": round(top) + height})
        page.wait_for_load_state("load")
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(700)  # charts are drawn
        left = MENU_WIDTH if name in WITHOUT_MENU else 0
        clip = {"x": left, "y": top, "width": page.viewport_size["width"] - left, "height": height}
        page.screenshot(path=IMAGES / f"{name}{SUFFIXES[self.language]}.png", clip=clip)

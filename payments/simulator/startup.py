"""What happens once, before the first request."""

import fcntl

from django.conf import settings
from django.core.management import call_command


def prepare() -> None:
    """Bring the book up to date and make the root keys, one process after another; then start the courier."""
    # Models cannot be imported before the site is set up.
    from payments.simulator import courier  # noqa: PLC0415
    from payments.simulator.alipay import certificates  # noqa: PLC0415

    with (settings.HOME / "book.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0, interactive=False)
        certificates.root()
    courier.start()

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """
    Trusts a kept connection whose socket is silent, and asks only one that has something to say.

    A server that closes a connection says so first, so a restart is noticed before the first statement, as with
    CONN_HEALTH_CHECKS alone, but without a round trip before every request.
    """

    health_check_done: bool

    def close_if_health_check_failed(self) -> None:
        if not self.health_check_done:
            self.health_check_done = self._is_silent()
        super().close_if_health_check_failed()

    def _is_silent(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)

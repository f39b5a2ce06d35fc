"""Running the same thing many times at once, on real connections."""

import threading

from django.db import connection


def at_once(count, call):
    """Call `call(n)` in `count` threads that start together; return results and exceptions in order of n."""
    barrier = threading.Barrier(count)
    outcomes = [None] * count

    def run(n):
        barrier.wait()
        try:
            outcomes[n] = call(n)
        except Exception as error:  # noqa: BLE001  the outcome is what the test is about
            outcomes[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes

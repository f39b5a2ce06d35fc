"""
The other side of the wire: the payment gateways as servers, with a fault menu and a page to scan and pay.

A site of its own in a process of its own, with its own book (SQLite) and its own keys. It imports nothing of the
system it stands opposite to, and nothing there imports it: a mistake on one side shows on the other.

    SIMULATOR_DIR=… ONETILL_ENV=sandbox gunicorn payments.simulator.wsgi:application --workers 1 --threads 16
"""

"""HTTP servers of the tests' own, for gateways and merchants that a test plays itself."""

import http.server


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256  # calls that come at once wait for their turn; beyond five, as it is by itself, is a reset

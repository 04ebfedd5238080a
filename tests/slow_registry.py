"""A registry that is far away: it passes on what another one gives, so many bytes a second.

::

    python tests/slow_registry.py PORT UPSTREAM BYTES       prints its port
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, UPSTREAM, RATE = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
#: What nodes ask with, and what they want to know of an answer.
ASKED = ("Accept", "Range")
TOLD = ("Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest")


class Passing(BaseHTTPRequestHandler):
    """Asks the other registry."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        headers = {name: self.headers[name] for name in ASKED if self.headers[name]}
        request = urllib.request.Request(f"{UPSTREAM}{self.path}", None, headers)
        request.method = self.command
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        self.send_response(answer.status)
        for name in TOLD:
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        while piece := answer.read(RATE // 10):
            self.wfile.write(piece)
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Passing)
    print(server.server_port, flush=True)
    server.serve_forever()

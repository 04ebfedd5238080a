"""A server that a cluster asks whether pods may be made, and that says no.

::

    python tests/kube_admission.py CERTIFICATE KEY       prints its port

As Pod Security and companies' policies do, it refuses with a sentence of its own.
"""

from __future__ import annotations

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

WORDS = 'violates PodSecurity "restricted:latest": runAsNonRoot != true (container "job")'


class _Refusal(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {
            "uid": asked["request"]["uid"],
            "allowed": False,
            "status": {"code": 403, "message": WORDS},
        }
        review = {"apiVersion": asked["apiVersion"], "kind": asked["kind"], "response": answer}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = HTTPServer(("127.0.0.1", 0), _Refusal)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A server that a cluster asks whether pods may be made, and that says no.

::

    python tests/kube_admission.py CERTIFICATE KEY               prints its port
    python tests/kube_admission.py CERTIFICATE KEY restricted    refuses what violates Pod Security
    python tests/kube_admission.py CERTIFICATE KEY baseline      … and only by that standard

As Pod Security and companies' policies do, it refuses with a sentence of its own.
"""

from __future__ import annotations

import json
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from pod_security import dangers, violations

WORDS = 'violates PodSecurity "restricted:latest": runAsNonRoot != true (container "job")'


class _Refusal(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        standard = {"restricted": violations, "baseline": dangers}.get(sys.argv[-1])
        found = [WORDS] if standard is None else standard(asked["request"]["object"])
        answer = {
            "uid": asked["request"]["uid"],
            "allowed": not found,
            "status": {"code": 403, "message": "; ".join(found)},
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


@contextmanager
def asked(cluster: Any, directory: Path, *words: str) -> Iterator[None]:
    """Let the cluster ask before it makes pods in namespaces labelled ``policy=NAMESPACE``."""
    # (imported here: the server needs nothing of it)
    import registries

    authority = Path(registries.certify(directory)).read_bytes()
    keys = [str(directory / "server.pem"), str(directory / "server.key")]
    name = cluster.namespace
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    with cluster.serving(sys.executable, __file__, *keys, *words) as port:
        client = {"url": f"https://127.0.0.1:{port}/", "caBundle": b64encode(authority).decode()}
        webhook = {
            "name": "pods.policy.lab",
            "clientConfig": client,
            "rules": [{**rule, "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"policy": name}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        }
        cluster.apply(configuration)
        try:
            yield
        finally:
            cluster.kubectl("delete", "validatingwebhookconfiguration", name)


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

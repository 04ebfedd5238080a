"""A company's provider of logins: OpenID Connect, as far as a cluster and its users need it.

::

    python tests/oidc_issuer.py DIRECTORY ADDRESS SECONDS       prints its URL

DIRECTORY has its certificate (``server.pem``, ``server.key``); id tokens last for SECONDS. Each
refresh token can be used once. What it was asked stands in ``asked``, a line each.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET, USER, FIRST = "jupyter", "a secret of the tests", "ada", "refresh-0"


class Issuer(ThreadingHTTPServer):
    """Serves what a relying party asks for."""

    def __init__(self, directory: Path, address: str, seconds: float) -> None:
        super().__init__((address, 0), _Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(directory / "server.pem"), str(directory / "server.key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://{address}:{self.server_port}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.seconds, self.next, self.log = seconds, FIRST, directory / "asked"

    def keys(self) -> dict[str, Any]:
        """The public key."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": "k", "use": "sig", "alg": "RS256"}]}

    def described(self) -> dict[str, Any]:
        """What is at the well-known place."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint": f"{self.url}/token",
            "authorization_endpoint": f"{self.url}/none",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def renewed(self, form: dict[str, list[str]], login: str) -> tuple[int, dict[str, str]]:
        """Tokens for a refresh token that was not used yet."""
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if login != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        if form.get("refresh_token") != [self.next]:
            said = "the refresh token was used before"
            return 400, {"error": "invalid_grant", "error_description": said}
        self.next = f"refresh-{int(self.next.rpartition('-')[2]) + 1}"
        now = time.time()
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": USER,
            "iat": now,
            "exp": now + self.seconds,
        }
        token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "k"})
        return 200, {"id_token": token, "refresh_token": self.next, "token_type": "Bearer"}


class _Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        known = {
            "/.well-known/openid-configuration": self.server.described(),
            "/keys": self.server.keys(),
        }
        found = known.get(self.path)
        self._say(200 if found else 404, found or {})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, answer = self.server.renewed(form, self.headers.get("Authorization", ""))
        with self.server.log.open("a") as file:
            file.write(f"{status}\n")
        self._say(status, answer)

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    issuer = Issuer(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    print(issuer.url, flush=True)
    issuer.serve_forever()

"""A token service as a registry's owner has one: it knows users and what each may do.

Tokens are those of the distribution project's "Token Authentication Implementation": a JWT, signed
by a key whose certificate the registry trusts.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVICE = "the lab's registry"


class TokenService:
    """A context manager; ``settings`` is what the registry's ``auth.token`` wants."""

    def __init__(self, folder: Path) -> None:
        import trustme

        authority = trustme.CA()
        signer = authority.issue_cert("token.lab", key_type=trustme.KeyType.ECDSA)
        self._key = signer.private_key_pem.bytes()
        self._chain = [_der(pem.bytes()) for pem in signer.cert_chain_pems]
        bundle = folder / "token-authority.pem"
        authority.cert_pem.write_to_path(str(bundle))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"
        self.settings = {
            "realm": self.realm,
            "service": SERVICE,
            "issuer": "the lab",
            "rootcertbundle": str(bundle),
        }
        #: Passwords; somebody without a name is a guest.
        self.users = {"ada": "open-sesame", "guest": "guest"}
        #: Who may push; everybody may pull what is public.
        self.writers = {"ada"}
        #: Refresh tokens, as ``docker login`` keeps them, by user.
        self.refresh = {"a-refresh-token": "ada"}
        #: What was asked: user and scopes.
        self.asked: list[tuple[str, list[str]]] = []
        #: Seconds that tokens hold.
        self.life = 300

    def __enter__(self) -> TokenService:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                user = service.user_of(self.headers.get("Authorization", ""))
                query = parse_qs(urlsplit(self.path).query)
                self._answer(user, query.get("scope", []))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                user = service.refresh.get(form.get("refresh_token", [""])[0])
                self._answer(user, form.get("scope", [""])[0].split(" "))

            def _answer(self, user: str | None, scopes: list[str]) -> None:
                if user is None:
                    self.send_error(401)
                    return
                service.asked.append((user, scopes))
                body = json.dumps(service.grant(user, scopes)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def user_of(self, header: str) -> str | None:
        """Who it is; ``""`` for a guest, None where the password is wrong."""
        if not header:
            return ""
        user, _, secret = base64.b64decode(header.partition(" ")[2]).decode().partition(":")
        return user if self.users.get(user) == secret else None

    def grant(self, user: str, scopes: list[str]) -> Mapping[str, Any]:
        """A token for as much of it as the user may."""
        import jwt

        access = []
        for scope in filter(None, scopes):
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if a == "pull" or user in self.writers]
            if not name.startswith("private/") or user in self.writers:
                access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": "the lab", "sub": user, "aud": SERVICE, "jti": str(now), "access": access}
        claims |= {"nbf": now - 10, "iat": now, "exp": now + 600}
        token = jwt.encode(claims, self._key, "ES256", headers={"x5c": self._chain})
        return {"token": token, "expires_in": self.life}


def _der(pem: bytes) -> str:
    """The certificate's body in base64, on one line (RFC 7515, 4.1.6)."""
    lines = pem.decode().strip().splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))

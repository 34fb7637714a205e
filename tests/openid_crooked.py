"""A provider of OpenID Connect that does what a right one never would."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry


class Crooked:
    """A provider on loopback; what it answers is changed by whoever tests.

    Attributes:
        issuer: Its URL.
        claims: Put over those of a right ID token; None takes one away.
        header: Put over that of a right ID token.
        key: What it signs with.
        secret: What it signs with instead, by HMAC; empty is no signature at all.
        shown: Keys that it shows; by default its own.
        document: Put over what a right provider says of itself.
        userinfo: What it tells of whoever signed in.
        token: What the token endpoint answers: a status and an object; None is a right answer.
        asked: Paths that were asked for.
    """

    def __init__(self, port):
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims, self.header, self.document, self.userinfo, self.token = {}, {}, {}, {}, None
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.shown = self.secret = None
        self.asked = []
        self.nonces = {}

    def answer(self, path, query, form):
        """Return a status, headers and a body."""
        self.asked.append(path)
        if path == "/auth":
            return self._signed_in(query)
        if path == "/token":
            status, found = self.token or (200, self._tokens(form["code"]))
            return status, {}, found
        known = {
            "/.well-known/openid-configuration": self._document,
            "/keys": lambda: {"keys": [key.as_dict(private=False) for key in self.shown or [self.key]]},
            "/userinfo": lambda: self.userinfo,
        }
        return (200, {}, known[path]()) if path in known else (404, {}, {})

    def _document(self):
        own = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return own | self.document

    def _signed_in(self, query):
        code = f"code-{len(self.nonces)}"
        self.nonces[code] = query["nonce"]
        return 303, {"Location": f"{query['redirect_uri']}?code={code}&state={query['state']}"}, {}

    def _tokens(self, code):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "amlsdk", "sub": "eve", "iat": now, "exp": now + 300}
        claims |= {"nonce": self.nonces[code], "email": "eve@example.com", "email_verified": True, **self.claims}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        text = self._signed(header, {name: value for name, value in claims.items() if value is not None})
        return {"access_token": "access", "token_type": "Bearer", "id_token": text}

    def _signed(self, header, claims):
        if self.secret is None:
            registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
            return jwt.encode(header, claims, self.key, registry=registry)
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        mac = hmac.new(self.secret, text.encode(), hashlib.sha256).digest() if self.secret else b""
        return f"{text}.{_encoded(mac)}"


@contextlib.contextmanager
def crooked():
    """Begin such a provider, and end it."""
    found = None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer({})

        def do_POST(self):
            self._answer(_fields(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _answer(self, form):
            parts = urlsplit(self.path)
            status, headers, content = found.answer(parts.path, _fields(parts.query), form)
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Crooked(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _fields(text):
    return {name: values[0] for name, values in parse_qs(text).items()}


def _encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

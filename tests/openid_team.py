"""A service whose people sign in with a provider, and what a command does that wants a token."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import requests

from amlsdk.operations.tenancy import GetCaller
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.resources.client import Address, Client
from amlsdk.resources.config import Config
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost
from amlsdk.tenancy.openid import OpenId


class Team:
    """Such a service."""

    def __init__(self, server, host):
        self.url, self.host, self.owner = server.url, host, host.first_token

    def caller(self, token):
        """Who is signed in by a token, as the service knows them."""
        client = Client(Address(location=self.url, token=token), Config())
        try:
            return client.send(GetCaller())
        finally:
            client.close()


@contextlib.contextmanager
def team(root, port, **settings):
    """Serve one in this process."""
    host = TenantHost(root, openid=OpenId(client_id="amlsdk", **settings))
    try:
        with ServerThread(host, port=port) as server:
            yield Team(server, host)
    finally:
        host.close()


class Command:
    """What a command does, step by step."""

    redirect = "http://127.0.0.1:9/listening"

    def __init__(self, url):
        self.url, self.verifier = url, secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def page(self):
        return f"{self.url}/sign-in/openid?redirect={self.redirect}&challenge={self.challenge}"

    def redeem(self, code, **other):
        token = new_token()
        given = {"id": id_of_token(token), "digest": digest_of_token(token), "name": "x", "verifier": self.verifier}
        reply = requests.post(f"{self.url}/sign-in/token", json={**given, "code": code, **other}, timeout=30)
        return reply, token


def code_in(place):
    return parse_qs(urlsplit(place).query)["code"][0]

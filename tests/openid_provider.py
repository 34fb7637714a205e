"""A provider of OpenID Connect of the tests' own, on loopback, and a browser that fills in its pages."""

from __future__ import annotations

import contextlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import requests

VERSION = "9.13.3"
_SCRIPT = Path(__file__).parent.parent / "scripts" / "npm-package"
_PROVIDER = Path(__file__).parent / "openid_provider.mjs"
_LISTENING = re.compile(r"listens on (http://127\.0\.0\.1:\d+)")
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="prompt" value="([a-z]+)"')
_MOST_PAGES = 12


def why_not():
    """Why no provider can be started here, or None."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"a provider needs {' and '.join(missing)}: apt-get install nodejs npm" if missing else None


@contextlib.contextmanager
def provider(callback, people, *, client_id="amlsdk", client_secret=None):
    """Start a provider for a client that is at `callback`, and end it; gives its issuer.

    Args:
        callback: Where it sends browsers back to.
        people: Claims by subject.
        client_id: Of the client.
        client_secret: Of the client; None makes it one without.
    """
    found = subprocess.run(
        [_SCRIPT, "oidc-provider", VERSION], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert found.returncode == 0, found.stderr
    way = "none" if client_secret is None else "client_secret_basic"
    client = {"client_id": client_id, "redirect_uris": [callback], "token_endpoint_auth_method": way}
    if client_secret is not None:
        client["client_secret"] = client_secret
    settings = json.dumps({"clients": [client], "people": people})
    process = subprocess.Popen(
        [shutil.which("node"), _PROVIDER, found.stdout.strip(), settings],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _address(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _address(process):
    said = []
    for line in process.stdout:
        said.append(line)
        listening = _LISTENING.search(line)
        if listening:
            return listening[1]
    raise AssertionError(f"the provider did not start:\n{''.join(said)}")


class Browser:
    """Follows where it is sent, and signs in where it is asked to.

    Args:
        subject: Who sits before it; None refuses to sign in.
    """

    def __init__(self, subject):
        self._subject = subject
        self.session = requests.Session()
        self.session.trust_env = False
        self.seen = []

    def open(self, url, *, until=None):
        """Go to an address, and on to the last page; with `until`, return the first address that begins with it."""
        reply = self._ask("GET", url)
        for _ in range(_MOST_PAGES):
            if reply.is_redirect:
                place = urljoin(reply.url, reply.headers["Location"])
                if until is not None and place.startswith(until):
                    return place
                reply = self._ask("GET", place)
            elif _FORM.search(reply.text):
                reply = self._fill_in(reply)
            else:
                return reply
        raise AssertionError(f"there is no end to the pages: {self.seen}")

    def _fill_in(self, page):
        place = urljoin(page.url, html.unescape(_FORM.search(page.text)[1]))
        if self._subject is None:
            return self._ask("GET", place.removesuffix("/") + "/abort")
        fields = {"prompt": _HIDDEN.search(page.text)[1], "login": self._subject, "password": "any"}
        return self._ask("POST", place, data=fields)

    def _ask(self, verb, url, **more):
        self.seen.append(url)
        return self.session.request(verb, url, allow_redirects=False, timeout=30, **more)

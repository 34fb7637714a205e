"""`aml serve` as a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import amlsdk

AML = (sys.executable, "-c", "from amlsdk.cli import main; main()")


class Served:
    """A running server; `url` and `token` are as it announced them first."""

    def __init__(self, root, *options, env=None, home=None):
        self.root, self._options = root, options
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AMLSDK_")}
        self._env = {**inherited, "HOME": str(home or root.parent), **(env or {})}
        self.url, self.token, self.process = "", None, None
        self.begin()

    @property
    def port(self):
        return urlsplit(self.url).port or 0

    def begin(self):
        """Begin it, again at the address it had."""
        command = [*AML, "serve", "--json", "--port", str(self.port), "--root", str(self.root), *self._options]
        self.errors = (self.root.parent / f"{self.root.name}-{os.urandom(3).hex()}.errors").open("w+")
        self.process = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()
        if not line:
            code, said = self.process.wait(), self.said()
            self.close()
            raise AssertionError(f"it ended with {code}: {said}")
        announced = json.loads(line)
        self.url, self.token = announced["url"], self.token or announced["token"]

    def said(self):
        """What it has written to standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def connect(self, token=None, **options):
        return amlsdk.connect(self.url, token=token or self.token, **options)

    def end(self, how=signal.SIGTERM):
        """End it and return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def kill(self):
        """End it without a word."""
        self.process.kill()
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def serving(root, *options, **more):
    """A server in a folder, ended in the end."""
    served = Served(root, *options, **more)
    try:
        yield served
    finally:
        served.close()

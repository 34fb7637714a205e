"""Deployments with a supervisor of their own, as users have them, driven by requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import time

from amlsdk.deployers.handed import Handed
from amlsdk.operations.deployments import (
    ClaimDeployment,
    CreateDeployment,
    GetDeployment,
    GetDeploymentKeys,
    StopDeployment,
    UpdateDeployment,
)
from amlsdk.operations.images import GetImage
from amlsdk.operations.manifests import GetManifest
from amlsdk.processes import is_gone
from amlsdk.records.ids import new_id
from amlsdk.resources.launching import Detached

WAIT_S = 60.0


def until(fact, timeout_s=30.0):
    """Wait for a fact and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s"
        time.sleep(0.01)
    return found


class Supervised:
    """A deployment in a workspace; a context manager that stops it at the end."""

    def __init__(self, client, image, **fields):
        self.client = client
        self.id = new_id()
        self.send(CreateDeployment(id=self.id, name=f"d{self.id[-8:]}", image_id=image.id, **fields))

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.stop()

    def begin(self):
        """Begin a supervisor and return the record once it has done what is wanted, or could not."""
        with Detached("amlsdk.deployers") as starting:
            self.supervisor = starting.identity()
            orders = self.send(ClaimDeployment(deployment_id=self.id, supervisor=self.supervisor))
            image = self.send(GetImage(image_id=orders.deployment.image_id))
            manifest = self.send(GetManifest(manifest_id=image.manifest_id))
            handed = Handed(orders=orders, image=image, manifest=manifest)
            starting.send({**self.client.place.to_message(), "handed": handed.to_message()})
        return until(self._if_settled)

    def send(self, request):
        return self.client.send(request)

    def record(self, wait_s=0.0):
        return self.send(GetDeployment(deployment_id=self.id, wait_s=wait_s))

    def change(self, request_type=UpdateDeployment, **fields):
        """Ask for something and return the record once it is done, or could not be."""
        self.send(request_type(deployment_id=self.id, **fields))
        return self.record(wait_s=WAIT_S)

    def stop(self):
        self.send(StopDeployment(deployment_id=self.id))
        until(lambda: self.record().status in {"Stopped", "Failed"} and is_gone(self.supervisor))
        return self.record()

    @property
    def port(self):
        return int(self.record().scoring_uri.rpartition(":")[2].partition("/")[0])

    @property
    def keys(self):
        return self.send(GetDeploymentKeys(deployment_id=self.id))

    def ask(self, data, *, key=None, port=None):
        """Send a request over a new connection; return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key or self.keys.primary}"}
        try:
            connection.request("POST", "/score", json.dumps({"data": data}), headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def _if_settled(self):
        ended = is_gone(self.supervisor)
        record = self.record(wait_s=1.0)
        return record if ended or (record.owner == self.supervisor and record.status != "Creating") else None

"""Deployments: images that serve."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.operations.deployments import (
    GetDeployment,
    GetDeploymentKeys,
    ReadDeploymentLog,
    RollBackDeployment,
    RotateDeploymentKey,
    StopDeployment,
    UpdateDeployment,
)
from amlsdk.operations.images import GetImage
from amlsdk.operations.manifests import GetManifest
from amlsdk.records.deployments import OVER, DeploymentKeys, DeploymentRecord, ServedRecord
from amlsdk.resources.agents import attached_agent
from amlsdk.resources.arguments import check_flag, check_timeout, check_whole, telling
from amlsdk.resources.deploying import check_image, delete, follow, raise_if_bad, supervise
from amlsdk.resources.image import Image
from amlsdk.resources.lines import READ_BYTES, lines_of
from amlsdk.resources.resource import Resource
from amlsdk.resources.service_spec import read_spec

if TYPE_CHECKING:
    from amlsdk.records.serving import ServiceSpec
    from amlsdk.resources.client import Client
    from amlsdk.resources.model import Model
    from amlsdk.resources.scoring_requests import ScoringClient
    from amlsdk.resources.traffic import DeploymentMetrics
    from amlsdk.resources.usage import Usage

__all__ = ["Deployment"]

_LOOK_S = 0.5


class Deployment(Resource[DeploymentRecord]):
    """A scoring service, with keys; what it is asked to change, its supervisor brings about."""

    what = "deployment"

    def __init__(self, client: Client, record: DeploymentRecord) -> None:
        super().__init__(client, record)
        self._keys: DeploymentKeys | None = None
        self._scoring: ScoringClient | None = None
        self._scored_by: tuple[Any, ...] = ()
        self._specs: dict[str, ServiceSpec] = {}

    def _read(self) -> DeploymentRecord:
        return self._client.send(GetDeployment(deployment_id=self.id))

    def _now(self) -> DeploymentRecord:
        return self.refresh().record

    @property
    def status(self) -> str:
        """`Creating`, `Healthy`, `Unhealthy`, `Failed` or `Stopped`."""
        return self._now().status

    @property
    def reason(self) -> str:
        """Why it has this status."""
        return self._now().reason

    @property
    def error(self) -> str | None:
        """Why it Failed, or why the last change could not be carried out; else None."""
        record = self._now()
        return record.reason if record.status == "Failed" else record.problem

    @property
    def scoring_uri(self) -> str | None:
        """Where `POST` scores; it stays the same over updates and restarts."""
        return self._now().scoring_uri

    @property
    def replicas(self) -> int:
        """How many processes or containers are to serve."""
        return self._now().replicas

    @property
    def image(self) -> Image:
        """The image that serves, or is to serve where none does."""
        record = self._now()
        return Image(self._client, self._client.send(GetImage(image_id=record.serving_id or record.image_id)))

    @property
    def history(self) -> tuple[ServedRecord, ...]:
        """What served when, oldest first: `.image_id`, `.began_at`, `.ended_at`, `.reason`."""
        return self._now().history

    def predict(self, rows: Any) -> Any:
        """Score rows over HTTP, as any caller would, with one of the keys. Waits for the answer.

        Args:
            rows: A pandas DataFrame, a numpy array or a list of rows, each a mapping by column or a list; where the
                script has several inputs, a mapping of them by name.

        Returns:
            A list, one output a row; dicts where a row has several. What else the script returns comes as JSON has it.

        Raises:
            InvalidArgument: The rows don't fit the schema; the message names row and field.
            OperationFailed: The scoring script failed; the message has a reference into `logs()`.
            Unavailable: The service can't be reached, or stays busy.
        """
        from amlsdk.resources.manifesting.bodies import from_reply, to_body

        record = self._now()
        with telling("predict"):
            spec = self._spec(record)
            body = to_body(spec, rows)
        return from_reply(spec, self._service(record).score(body))

    def keys(self) -> DeploymentKeys:
        """Return the keys: `.primary`, `.secondary`; either is accepted, as `Authorization: Bearer <key>`."""
        self._keys = self._client.send(GetDeploymentKeys(deployment_id=self.id))
        return self._keys

    def rotate_key(self, key: str, *, timeout_s: float | None = None) -> DeploymentKeys:
        """Replace a key by a new one; the other one is not touched. Waits until the new one is accepted.

        Args:
            key: `primary` or `secondary`.
            timeout_s: Raise TimeoutError after so many seconds; the key is replaced all the same.

        Raises:
            InvalidArgument: There is no such key.
        """
        if key not in ("primary", "secondary"):
            raise InvalidArgument(f"rotate_key(key=...) is 'primary' or 'secondary', not {key!r:.80}")
        check_timeout(timeout_s)
        self._keys = self._client.send(RotateDeploymentKey(deployment_id=self.id, key=key))
        self._record = follow(self._client, self._record, timeout_s)
        return self._keys

    def usage(self) -> Usage:
        """Return how it is called from elsewhere: URL, headers, curl and Python with the sample. It has no key in it.

        Raises:
            Conflict: It has no address yet.
        """
        from amlsdk.resources.usage import usage_of

        return usage_of(
            location=self._client.location, name=self.name, uri=self._uri(), sample=dict(self._spec(self._now()).sample)
        )

    def update(self, to: Image | Model, *, wait: bool = True, timeout_s: float | None = None) -> Deployment:
        """Let another image serve, at the same URL and with the same keys; no request fails by it.

        The new one is started beside the old, has to answer its sample, and then gets the requests.

        Args:
            to: An image, or a model, for which the present manifest is made anew and an image is built.
            wait: Return when it serves; else at once.
            timeout_s: Raise TimeoutError after so many seconds of waiting; it goes on.

        Raises:
            OperationFailed: It does not start or answer; what served before goes on serving.
        """
        image = self._image_for(to)
        record = self._now()
        with telling("update"):
            self._check(image, replicas=record.replicas)
        self._record = self._client.send(UpdateDeployment(deployment_id=self.id, image_id=image.id))
        return self._carry_out(wait=wait, timeout_s=timeout_s)

    def rollback(self, *, wait: bool = True, timeout_s: float | None = None) -> Deployment:
        """Let the image serve that served before; it still stands by, so that this takes no time.

        Raises:
            Conflict: Nothing else served before.
            OperationFailed: It does not start or answer.
        """
        self._record = self._client.send(RollBackDeployment(deployment_id=self.id))
        return self._carry_out(wait=wait, timeout_s=timeout_s)

    def scale(self, replicas: int, *, wait: bool = True, timeout_s: float | None = None) -> Deployment:
        """Change how many processes or containers serve.

        Raises:
            OperationFailed: A further one does not start; there are as many as before.
        """
        check_whole(replicas, what="scale(replicas=...)")
        if replicas is None:
            raise InvalidArgument("scale(replicas=...) is a whole number from 1 on, not None")
        with telling("scale"):
            self._check(self.image, replicas=replicas)
        self._record = self._client.send(UpdateDeployment(deployment_id=self.id, replicas=replicas))
        return self._carry_out(wait=wait, timeout_s=timeout_s)

    def start(self, *, wait: bool = True, timeout_s: float | None = None) -> Deployment:
        """Let it serve again after it was stopped or lost, at the same URL and with the same keys.

        Raises:
            OperationFailed: It does not start; the message has its last lines.
        """
        record = self._now()
        if record.agent is not None and record.status in OVER:
            with telling("start"):
                attached_agent(self._client, record.agent, what="agent")
            # Asked for once more, so that the agent takes it up.
            request = UpdateDeployment(deployment_id=self.id, image_id=record.image_id)
            self._record = self._client.send(request)
        return self._carry_out(wait=wait, timeout_s=timeout_s)

    def stop(self, *, timeout_s: float | None = None) -> Deployment:
        """Let it cease to serve, once it has answered what it has. Waits for that.

        Raises:
            TimeoutError: It has not ceased in time.
        """
        check_timeout(timeout_s)
        self._record = self._client.send(StopDeployment(deployment_id=self.id))
        self._record = follow(self._client, self._record, timeout_s, until=lambda record: record.status in OVER)
        return self

    def wait(self, timeout_s: float | None = None, *, raise_on_error: bool = True) -> Deployment:
        """Wait until all that was asked of it was carried out, or could not be; return this deployment.

        Raises:
            OperationFailed: It could not.
            TimeoutError: It has not been, in time; it goes on.
        """
        check_timeout(timeout_s)
        self._record = follow(self._client, self._record, timeout_s)
        if raise_on_error:
            raise_if_bad(self._record)
        return self

    async def wait_async(self, timeout_s: float | None = None, *, raise_on_error: bool = True) -> Deployment:
        """Wait without blocking the event loop; see `wait`."""
        return await asyncio.to_thread(self.wait, timeout_s, raise_on_error=raise_on_error)

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines that its processes and its supervisor wrote.

        Args:
            follow: Go on until it is stopped; each look waits at most half a second.
        """
        check_flag(follow, what="logs(follow=...)")

        def look(after: int) -> tuple[bytes, bool]:
            goes_on = follow and self._now().status not in OVER
            wait_s = _LOOK_S if goes_on else 0.0
            request = ReadDeploymentLog(deployment_id=self.id, after=after, limit_bytes=READ_BYTES, wait_s=wait_s)
            return self._client.send(request).read(), goes_on

        yield from lines_of(look)

    def metrics(self, since: dt.datetime | None = None) -> DeploymentMetrics:
        """Return `.requests`, `.errors`, `.p50_s`, `.p99_s` of the scoring requests since a time, or of all.

        Raises:
            InvalidArgument: It is no time with a zone.
        """
        from amlsdk.resources.traffic import metrics_of

        if since is not None and (not isinstance(since, dt.datetime) or since.tzinfo is None):
            raise InvalidArgument(f"metrics(since=...) is a time with its zone, or None, not {since!r:.80}")
        return metrics_of(self._client, self.id, since)

    def lineage(self) -> dict[str, Any]:
        """Return the way back to data and code, as JSON.

        `deployment`, `image`, `manifest`, `model`, `run`, `snapshot` and `inputs`, each with its id or digest; with
        several models `models` has model, run, snapshot and inputs of each.
        """
        return {"deployment": {"id": self.id, "name": self.name}, **self.image.lineage()}

    def delete(self, *, timeout_s: float | None = None) -> None:
        """Stop it and delete it with its logs and counts; an absent one is no error.

        Raises:
            TimeoutError: It has not ceased to serve in time; it is not deleted.
        """
        delete(self._client, self.id, timeout_s)

    def _check(self, image: Image, *, replicas: int) -> None:
        """See that the deployer can serve it; an agent sees that on its own machine."""
        record = self._record
        if record.agent is None:
            check_image(image.record, target=record.target, settings=record.settings, replicas=replicas)

    def _image_for(self, to: Image | Model) -> Image:
        from amlsdk.resources.model import Model

        if isinstance(to, Model):
            image = self.image
            return image.manifest.new_version(models=[to]).build_image(image.name)
        if not isinstance(to, Image):
            raise InvalidArgument(f"update(to=...) is an image or a model, not {type(to).__name__}")
        return to

    def _carry_out(self, *, wait: bool, timeout_s: float | None) -> Deployment:
        check_flag(wait, what="wait")
        check_timeout(timeout_s)
        if self._record.status in OVER and self._record.agent is None:
            supervise(self._client, self._record)
            self._record = follow(
                self._client, self._record, timeout_s, until=lambda record: record.owner is not None or not wait
            )
        return self.wait(timeout_s) if wait else self

    def _uri(self) -> str:
        record = self._record if self._record.scoring_uri else self._now()
        if record.scoring_uri is None:
            raise Conflict(f"deployment {self.name!r} has no address yet: it is {record.status}")
        return record.scoring_uri

    def _spec(self, record: DeploymentRecord) -> ServiceSpec:
        """The contract of what serves; a newer image may have another one."""
        image_id = record.serving_id or record.image_id
        if image_id not in self._specs:
            image = self._client.send(GetImage(image_id=image_id))
            manifest = self._client.send(GetManifest(manifest_id=image.manifest_id))
            self._specs = {image_id: read_spec(self._client, manifest)}
        return self._specs[image_id]

    def _service(self, record: DeploymentRecord) -> ScoringClient:
        from amlsdk.resources.scoring_requests import ScoringClient

        served = (record.scoring_uri, record.serving_id, record.generation)
        # A connection that was open before an update gets its next answer from what served then.
        if self._scoring is None or served != self._scored_by:
            if self._scoring is not None:
                self._scoring.close()
            self._scoring, self._scored_by = ScoringClient(self._uri(), self._key), served
            self._client.closes(self._scoring)
        return self._scoring

    def _key(self, anew: bool) -> str:
        keys = self.keys() if anew or self._keys is None else self._keys
        return keys.primary

    def __repr__(self) -> str:
        record = self._record
        return f"<Deployment {self.name!r}: {record.status}, {record.scoring_uri or 'no address yet'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keys are no part of what is pickled.
        return (Deployment, (self._client, self._record))

"""What every deployer promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from amlsdk.filesets.blobs import Blobs
from amlsdk.records.deployments import DeploymentKeys, TrafficRecord
from amlsdk.records.images import ImageRecord
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.serving import ScoringSettings

__all__ = ["Deployer", "Health", "Revision", "Serving", "Site"]


@attrs.frozen(kw_only=True)
class Site:
    """Where one deployment lives, and within what limits.

    Args:
        deployment_id: Of the deployment.
        name: Of the deployment.
        folder: Its own folder on this machine; for its owner only.
        cache: Folder of what may be lost at any time, shared by all deployments of the workspace.
        log: The file that takes what the processes say, as raw bytes, as they come.
        blobs: Where the layers of images are.
        find_manifest: Returns a manifest by its id: what an image was made of.
        settings: Its limits.
        keys: That are accepted at first.
        environment_variables: Set for the scoring script.
        secrets: Values set for it as well, which are to be in no file and masked in what it prints.
        scoring_uri: The address it had before, which it is to have again; None where any will do.
    """

    deployment_id: str
    name: str
    folder: Path
    cache: Path
    log: Path
    blobs: Blobs
    find_manifest: Callable[[str], ManifestRecord]
    settings: ScoringSettings
    keys: DeploymentKeys
    environment_variables: Mapping[str, str] = attrs.field(factory=dict)
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    scoring_uri: str | None = None


@attrs.frozen(kw_only=True)
class Health:
    """How a deployment is.

    Args:
        status: `Healthy` or `Unhealthy`, of `records.deployments.DeploymentStatus`.
        reason: Why, in a sentence or more; empty where there is nothing to say.
        restarts: How often a process or container had to be started again so far.
    """

    status: str
    reason: str = ""
    restarts: int = 0


class Revision(ABC):
    """An image that was started: its processes or containers have loaded, whether requests go to them or not."""

    image: ImageRecord


class Serving(ABC):
    """One endpoint, with revisions behind it of which at most one gets the requests.

    The contract: what is called takes effect for all processes or containers of a revision, also for those that are
    started again later. One thread calls `start`, `switch`, `scale` and `retire`; any other one may call the rest
    meanwhile. `close` ends a `start` that is under way. Nothing that a revision started outlives `close`, nor the
    process that called `Deployer.open` where the deployer runs processes of this machine.
    """

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where `POST` scores; it does not change."""

    @abstractmethod
    def start(self, image: ImageRecord, replicas: int, *, is_unwanted: Callable[[], bool] = lambda: False) -> Revision:
        """Start an image beside what serves. Returns when every one of its replicas has answered the sample.

        Args:
            image: Completed.
            replicas: How many processes or containers.
            is_unwanted: Asked now and then; once it is true, what was started is ended.

        Raises:
            OperationFailed: It did not come up, with its last lines; or it was unwanted. Nothing of it is left.
        """

    @abstractmethod
    def switch(self, revision: Revision) -> None:
        """Let new requests go to a revision; what served before answers those it has, and stands by, warm.

        No request fails by it. Returns as soon as new requests go there.

        Raises:
            OperationFailed: It does not take requests; what served before goes on.
        """

    @abstractmethod
    def scale(self, replicas: int) -> None:
        """Change the number of replicas of what serves. Returns when all of them serve.

        Raises:
            OperationFailed: A further one did not come up; there are as many as before.
        """

    @abstractmethod
    def retire(self, revision: Revision) -> None:
        """End a revision that does not serve, once it has answered what it has. Returns at once."""

    @abstractmethod
    def set_keys(self, keys: DeploymentKeys) -> None:
        """Accept these keys from now on; keys that are no longer among them are refused within a second."""

    @abstractmethod
    def poll(self) -> Health:
        """Say how what serves is. Returns at once."""

    @abstractmethod
    def traffic(self) -> TrafficRecord:
        """Say what was asked since the deployment was made; numbers never become less."""

    @abstractmethod
    def close(self, grace_s: float) -> None:
        """Cease to serve: requests in flight have so many seconds to be answered. Closing twice is no error."""


class Deployer(ABC):
    """A place where images serve, found by its name (entry-point group `amlsdk.deployers`).

    A deployer keeps no state of its own: what it has to find again, after its process was lost, is in the folder of
    the site or where it serves.
    """

    @abstractmethod
    def check(self, image: ImageRecord, settings: ScoringSettings, replicas: int) -> None:
        """See whether an image can be meant for this deployer; called in the client before anything is recorded.

        Raises:
            InvalidArgument: It can't; the message says what to change.
        """

    def prepare(  # noqa: B027  # most have nothing to prepare
        self, image: ImageRecord, *, blobs: Blobs, cache: Path, find_manifest: Callable[[str], ManifestRecord]
    ) -> None:
        """Do what takes long and may be done beforehand, in the client, while its supervisor starts; or nothing.

        Raises:
            AmlError: It can't be done; the supervisor meets the same again.
        """

    @abstractmethod
    def open(self, site: Site) -> Serving:
        """Take the endpoint of a deployment.

        Raises:
            OperationFailed: The address it had is taken by something else.
            Unavailable: The folder can't be written, or the place can't be reached.
        """

"""What every deployer must pass."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from amlsdk.deployers.base import Deployer, Revision, Serving, Site
from amlsdk.errors import InvalidArgument, NotFound, OperationFailed
from amlsdk.records.deployments import DeploymentKeys, DeploymentStatus
from amlsdk.records.ids import new_id
from amlsdk.records.images import ImageRecord, ImageStatus
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.serving import ScoringSettings
from amlsdk.storage.blobs.folder import FolderBlobStore

__all__ = ["DeployerTestCase"]

_TIME_S = 60.0
_KEYS = DeploymentKeys(primary="first-key", secondary="second-key")
_ADD = "def run(data):\n    return data + {}\n"
_BROKEN = "print('about to break', flush=True)\nimport no_such_package_anywhere\n" + _ADD.format(1)
_ENVIRONMENT = "import os\ndef run(data):\n    return os.environ.get('COLOUR', 'none')\n"
_TELLING = "def init():\n    print('the script speaks', flush=True)\n" + _ADD.format(1)


class DeployerTestCase:
    """Subclass it as `TestMyDeployer`, override `make_deployer` and `make_image`, and pytest runs the contract.

    The test's workspace has no service: `find_manifest` of a site finds nothing.
    """

    def make_deployer(self) -> Deployer:
        """Return a deployer."""
        raise NotImplementedError

    def make_image(self, blobs: FolderBlobStore, script: str) -> ImageRecord:
        """Return a Completed image whose layers are in a store.

        Its service has one input, `data`, of kind `json`, and the sample `{"data": 1}`, without an expected result.
        """
        raise NotImplementedError

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        """Where a deployment lives."""
        folder = tmp_path / "deployments" / "one"
        folder.mkdir(mode=0o700, parents=True)
        return Site(
            deployment_id=new_id(),
            name="wine",
            folder=folder,
            cache=tmp_path / "cache",
            log=tmp_path / "logs" / "one.log",
            blobs=FolderBlobStore(tmp_path / "blobs"),
            find_manifest=_no_manifest,
            settings=ScoringSettings(drain_s=5.0),
            keys=_KEYS,
        )

    @pytest.fixture
    def opened(self) -> Iterator[Callable[[Site], Serving]]:
        """Open sites, and close them at the end."""
        servings: list[Serving] = []

        def open_one(site: Site) -> Serving:
            servings.append(self.make_deployer().open(site))
            return servings[-1]

        yield open_one
        for serving in servings:
            serving.close(0)

    @pytest.fixture
    def serving(self, site: Site, opened: Callable[[Site], Serving]) -> Serving:
        """An endpoint with nothing behind it yet."""
        return opened(site)

    def begin(self, serving: Serving, site: Site, script: str, *, replicas: int = 1) -> Revision:
        """Start an image of a script and let requests go to it."""
        revision = self.start(serving, site, script, replicas=replicas)
        serving.switch(revision)
        return revision

    def start(self, serving: Serving, site: Site, script: str, *, replicas: int = 1) -> Revision:
        """Start an image of a script."""
        assert isinstance(site.blobs, FolderBlobStore)
        return serving.start(self.make_image(site.blobs, script), replicas)

    def ask(self, serving: Serving, data: Any, *, key: str = _KEYS.primary) -> tuple[int, Any]:
        """Send a request over a new connection; return status and body."""
        address = urlsplit(serving.uri)
        connection = http.client.HTTPConnection(address.netloc, timeout=_TIME_S)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        try:
            connection.request("POST", address.path, json.dumps({"data": data}), headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def until(self, fact: Callable[[], bool], what: str, *, within_s: float = _TIME_S) -> None:
        """Wait for a fact."""
        deadline = time.monotonic() + within_s
        while not fact():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            time.sleep(0.01)

    def test_a_plain_image_is_accepted(self, site: Site) -> None:
        """`check` raises nothing for an image that can be deployed."""
        assert isinstance(site.blobs, FolderBlobStore)
        image = self.make_image(site.blobs, _ADD.format(1))
        self.make_deployer().check(image, site.settings, 1)

    def test_an_image_that_is_not_complete_is_refused(self, site: Site) -> None:
        """`check` refuses an image whose build failed."""
        assert isinstance(site.blobs, FolderBlobStore)
        image = attrs.evolve(self.make_image(site.blobs, _ADD.format(1)), status=ImageStatus.FAILED)
        with pytest.raises(InvalidArgument, match="Failed"):
            self.make_deployer().check(image, site.settings, 1)

    def test_what_was_switched_to_answers(self, serving: Serving, site: Site) -> None:
        """Requests are scored by the revision that was switched to, and it is Healthy."""
        self.begin(serving, site, _ADD.format(1))
        assert self.ask(serving, 1) == (200, {"result": 2})
        assert serving.poll().status == DeploymentStatus.HEALTHY

    def test_a_new_revision_gets_nothing_before_the_switch(self, serving: Serving, site: Site) -> None:
        """Starting an image changes nothing for callers."""
        self.begin(serving, site, _ADD.format(1))
        new = self.start(serving, site, _ADD.format(2))
        assert {self.ask(serving, 1)[1]["result"] for _ in range(20)} == {2}
        serving.switch(new)
        assert {self.ask(serving, 1)[1]["result"] for _ in range(20)} == {3}

    def test_the_former_revision_can_be_switched_back_to(self, serving: Serving, site: Site) -> None:
        """What served before stands by and serves again at once, as often as is wanted."""
        first, second = self.begin(serving, site, _ADD.format(1)), self.begin(serving, site, _ADD.format(2))
        for revision, result in ((first, 2), (second, 3), (first, 2)):
            serving.switch(revision)
            assert self.ask(serving, 1) == (200, {"result": result})

    def test_the_address_does_not_change(self, serving: Serving, site: Site) -> None:
        """An update leaves the address as it was."""
        self.begin(serving, site, _ADD.format(1))
        before = serving.uri
        self.begin(serving, site, _ADD.format(2))
        assert serving.uri == before

    def test_a_script_that_breaks_is_said_with_its_last_lines(self, serving: Serving, site: Site) -> None:
        """A failed start says why, and what served goes on."""
        self.begin(serving, site, _ADD.format(1))
        with pytest.raises(OperationFailed, match="no_such_package_anywhere"):
            self.start(serving, site, _BROKEN)
        assert self.ask(serving, 1) == (200, {"result": 2})

    def test_an_unwanted_start_is_given_up(self, serving: Serving, site: Site) -> None:
        """A start that is not wanted any more ends, though the script loads for ever."""
        assert isinstance(site.blobs, FolderBlobStore)
        image = self.make_image(site.blobs, "import time\ntime.sleep(600)\n" + _ADD.format(1))
        with pytest.raises(OperationFailed, match="given up"):
            serving.start(image, 1, is_unwanted=lambda: True)

    def test_replicas_can_be_added_and_taken_away(self, serving: Serving, site: Site) -> None:
        """Scaling up and down leaves callers alone."""
        self.begin(serving, site, _ADD.format(1))
        for replicas in (2, 1):
            serving.scale(replicas)
            assert self.ask(serving, 1) == (200, {"result": 2})

    def test_what_serves_can_not_be_retired(self, serving: Serving, site: Site) -> None:
        """A revision is retired only after another one was switched to."""
        first = self.begin(serving, site, _ADD.format(1))
        with pytest.raises(OperationFailed):
            serving.retire(first)
        self.begin(serving, site, _ADD.format(2))
        serving.retire(first)
        assert self.ask(serving, 1) == (200, {"result": 3})

    def test_wrong_keys_are_refused(self, serving: Serving, site: Site) -> None:
        """Either key is accepted and no other one."""
        self.begin(serving, site, _ADD.format(1))
        assert [self.ask(serving, 1, key=key)[0] for key in ("first-key", "second-key", "third-key")] == [200, 200, 401]

    def test_new_keys_hold_at_once_and_old_ones_are_refused_within_a_second(self, serving: Serving, site: Site) -> None:
        """Rotation refuses nobody who has the other key, and locks out the removed one."""
        self.begin(serving, site, _ADD.format(1))
        serving.set_keys(DeploymentKeys(primary="third-key", secondary="second-key"))
        assert [self.ask(serving, 1, key=key)[0] for key in ("third-key", "second-key")] == [200, 200]
        self.until(lambda: self.ask(serving, 1)[0] == 401, "the old key is refused", within_s=1.5)

    def test_environment_variables_arrive(self, site: Site, opened: Callable[[Site], Serving]) -> None:
        """The scoring script sees the variables that were set for it."""
        serving = opened(attrs.evolve(site, environment_variables={"COLOUR": "blue"}))
        self.begin(serving, site, _ENVIRONMENT)
        assert self.ask(serving, 1) == (200, {"result": "blue"})

    def test_what_a_script_says_is_in_the_log(self, serving: Serving, site: Site) -> None:
        """Standard output of the script arrives in the log file."""
        self.begin(serving, site, _TELLING)
        self.until(lambda: b"the script speaks" in site.log.read_bytes(), "the log has the line")

    def test_traffic_is_counted_on_over_a_new_start(self, site: Site, opened: Callable[[Site], Serving]) -> None:
        """Requests are counted by status, and the counts of former processes stay."""
        serving = opened(site)
        self.begin(serving, site, _ADD.format(1))
        for key in ("first-key", "first-key", "wrong"):
            self.ask(serving, 1, key=key)
        counted = serving.traffic().requests
        assert (counted.get("200", 0) >= 2, counted.get("401")) == (True, 1)
        serving.close(5)
        again = opened(attrs.evolve(site, scoring_uri=serving.uri))
        assert again.traffic().requests == serving.traffic().requests

    def test_an_endpoint_that_is_opened_again_has_its_address(
        self, site: Site, opened: Callable[[Site], Serving]
    ) -> None:
        """After close and open, requests go to where they went."""
        serving = opened(site)
        self.begin(serving, site, _ADD.format(1))
        before = serving.uri
        serving.close(5)
        again = opened(attrs.evolve(site, scoring_uri=before))
        self.begin(again, site, _ADD.format(2))
        assert (again.uri, self.ask(again, 1)) == (before, (200, {"result": 3}))

    def test_closed_means_refused(self, serving: Serving, site: Site) -> None:
        """After close nothing answers; closing twice is no error."""
        self.begin(serving, site, _ADD.format(1))
        serving.close(5)
        serving.close(0)
        with pytest.raises(OSError):  # noqa: PT011  # which one is the system's choice
            self.ask(serving, 1)


def _no_manifest(manifest_id: str) -> ManifestRecord:
    raise NotFound(f"there is no manifest {manifest_id}")

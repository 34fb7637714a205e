"""One endpoint on this machine, served by processes that share its listening socket."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from amlsdk.deployers.base import Health, Revision, Serving, Site
from amlsdk.deployers.bundle import put_together, read_spec
from amlsdk.deployers.keeper import Keeper
from amlsdk.deployers.keyfile import write_keys
from amlsdk.deployers.leftovers import end_leftovers, note_processes
from amlsdk.deployers.listening import listen, uri_of
from amlsdk.deployers.revision import ProcessRevision
from amlsdk.deployers.worker import Launcher, Worker
from amlsdk.errors import OperationFailed, Unavailable
from amlsdk.filesets.removing import remove_tree
from amlsdk.records.converting import CONVERTER
from amlsdk.records.deployments import DeploymentKeys, DeploymentStatus, TrafficRecord
from amlsdk.records.images import ImageRecord
from amlsdk.sketches.counters import read_traffic
from amlsdk.storage.secrets.masked_output import MaskedOutput
from amlsdk.storage.secrets.masking import Mask

__all__ = ["ProcessServing"]

_LOGGER = logging.getLogger("amlsdk")
# A script may keep its process busy for as long as a request may take.
_BEYOND_TIMEOUT_S = 10.0


class ProcessServing(Serving):
    """Processes of this machine behind one port of loopback.

    The listening socket is made here and inherited by each process: a connection that nobody has accepted yet waits
    in it for whoever accepts next, so that none is refused while processes change.

    Args:
        site: Where it lives.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known_keys = site.keys
        self._settings, self._keys = site.folder / "settings.json", site.folder / "keys.json"
        self._traffic = site.folder / "traffic"
        self._processes = site.folder / "processes.json"
        self._noting, self._bundling = threading.Lock(), threading.Lock()
        self._launched: list[Worker] = []
        self._write_files()
        end_leftovers(self._processes)
        self._masked = _masked(site)
        self._listener = listen(site.scoring_uri)
        self._uri = uri_of(self._listener)
        self._present: ProcessRevision | None = None
        self._revisions: list[ProcessRevision] = []
        self._ending: list[Keeper] = []
        self._restarts = 0
        self._closed = threading.Event()

    @property
    def uri(self) -> str:
        """Where `POST` scores."""
        return self._uri

    def start(self, image: ImageRecord, replicas: int, *, is_unwanted: Callable[[], bool] = lambda: False) -> Revision:
        """Unpack the image, and start its processes."""
        self._tidy()
        begun_s = time.monotonic()
        root = self._bundle(image)
        bundled_s = time.monotonic()
        spec = read_spec(root)
        revision = ProcessRevision(
            image,
            lambda: Keeper(lambda: self._launch(image), hung_after_s=self._site.settings.timeout_s + _BEYOND_TIMEOUT_S),
            sample=spec.get("sample", {}),
            expected=spec.get("sample_result"),
            timeout_s=self._site.settings.timeout_s,
        )
        revision.grow(replicas, lambda: is_unwanted() or self._closed.is_set())
        self._revisions.append(revision)
        what = f"image {image.name} {image.version}"
        _LOGGER.info("%s was put together in %.2f s", what, bundled_s - begun_s)
        _LOGGER.info("%s was loaded by %d processes in %.2f s", what, replicas, time.monotonic() - bundled_s)
        return revision

    def switch(self, revision: Revision) -> None:
        """Let the processes of a revision accept, and then those of the former one no longer."""
        new = self._own(revision)
        new.accept(new.keepers)
        former, self._present = self._present, new
        if former is not None and former is not new:
            former.stand_by(self._site.settings.drain_s)

    def scale(self, replicas: int) -> None:
        """Start further processes, or end some."""
        present = self._present
        if present is None:
            raise OperationFailed("nothing serves that could be scaled")
        self._ending += present.keepers[replicas:]
        self._restarts += sum(keeper.restarts for keeper in present.keepers[replicas:])
        present.shrink(replicas, self._site.settings.drain_s)
        new = present.grow(replicas, self._closed.is_set)
        if new:
            present.accept(new)

    def retire(self, revision: Revision) -> None:
        """End the processes of a revision once they have answered what they have."""
        old = self._own(revision)
        if old is self._present:
            raise OperationFailed("a revision that serves can't be retired: switch to another one first")
        self._revisions.remove(old)
        self._restarts += old.restarts
        self._ending += old.keepers
        old.shrink(0, self._site.settings.drain_s)

    def set_keys(self, keys: DeploymentKeys) -> None:
        """Write the file that the processes look at."""
        if self._site.settings.keys and keys != self._known_keys:
            write_keys(self._keys, keys)
            self._known_keys = keys

    def poll(self) -> Health:
        """Say whether a process serves."""
        present = self._present
        keepers = () if present is None else present.keepers
        away = [keeper for keeper in keepers if not keeper.is_loaded]
        restarts = self._restarts + sum(revision.restarts for revision in tuple(self._revisions))
        if not away:
            return Health(status=DeploymentStatus.HEALTHY, restarts=restarts)
        is_up = len(away) < len(keepers)
        # What others wrote meanwhile stands among its last lines.
        ended = away[0].reason.partition("; its last lines")[0] if is_up else away[0].reason
        return Health(
            status=DeploymentStatus.HEALTHY if is_up else DeploymentStatus.UNHEALTHY,
            reason=f"{len(away)} of {len(keepers)} processes are being started again; one ended by {ended}",
            restarts=restarts,
        )

    def traffic(self) -> TrafficRecord:
        """Add up what all processes counted."""
        found = read_traffic(self._traffic)
        return TrafficRecord(
            at=dt.datetime.now(dt.timezone.utc),
            requests={str(status): count for status, count in sorted(found.requests.items())},
            latency=found.latency.to_counts(),
            batches=found.batches,
            rows=found.rows,
        )

    def close(self, grace_s: float) -> None:
        """End all processes."""
        self._closed.set()
        keepers = self._all_keepers()
        for keeper in keepers:
            keeper.end(grace_s)
        for keeper in keepers:
            keeper.join()
        self._listener.close()
        if self._masked is not None:
            self._masked.close()

    def _launch(self, image: ImageRecord) -> Worker:
        # The cache that the bundle has links into may be lost at any time.
        root = self._bundle(image)
        launcher = Launcher(
            root=root,
            listener=self._listener,
            log=self._site.log,
            masked=self._masked,
            settings=self._settings,
            keys=self._keys if self._site.settings.keys else None,
            traffic=self._traffic,
            variables={**self._site.environment_variables, **self._site.secrets},
        )
        worker = launcher.launch()
        self._note(worker)
        return worker

    def _note(self, new: Worker) -> None:
        with self._noting:
            self._launched = [worker for worker in self._launched if not worker.has_ended] + [new]
            note_processes(self._processes, [worker.pid for worker in self._launched])

    def _all_keepers(self) -> list[Keeper]:
        return [*self._ending, *(keeper for revision in self._revisions for keeper in revision.keepers)]

    def _bundle(self, image: ImageRecord) -> Path:
        site = self._site
        with self._bundling:
            return put_together(
                image, site.folder / image.id, blobs=site.blobs, cache=site.cache, find_manifest=site.find_manifest
            )

    def _write_files(self) -> None:
        try:
            self._traffic.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._site.log.parent.mkdir(parents=True, exist_ok=True)
            # What a script prints is for those who may read the workspace.
            os.close(os.open(self._site.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            self._settings.write_text(json.dumps(CONVERTER.unstructure(self._site.settings)), encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"the folder {os.fspath(self._site.folder)!r} can't be written: {error}") from error
        if self._site.settings.keys:
            write_keys(self._keys, self._site.keys)

    def _own(self, revision: Revision) -> ProcessRevision:
        found = next((own for own in self._revisions if own is revision), None)
        if found is None:
            raise OperationFailed("this revision is not here any more")
        return found

    def _tidy(self) -> None:
        """Remove bundles that nothing uses any more."""
        self._ending = [keeper for keeper in self._ending if keeper.is_alive]
        if self._ending:
            return
        used = {revision.image.id for revision in self._revisions}
        for folder in self._site.folder.iterdir():
            if (folder / "app").is_dir() and folder.name not in used:
                remove_tree(folder)


def _masked(site: Site) -> MaskedOutput | None:
    if not site.secrets:
        return None
    return MaskedOutput(site.folder / "output.pipe", site.log, Mask(site.secrets.values()))

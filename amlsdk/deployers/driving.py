"""The supervisor of one deployment: tells how it is, hears what is wanted, and has it brought about."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

import attrs

from amlsdk import plugins
from amlsdk.deployers.base import Deployer, Serving, Site
from amlsdk.deployers.handed import Handed, HandedService
from amlsdk.deployers.link import Link, Lost
from amlsdk.deployers.logkeeping import LogKeeping
from amlsdk.deployers.masking import mask_log
from amlsdk.deployers.steering import Situation, Steering
from amlsdk.errors import AmlError
from amlsdk.filesets.blobs import Blobs
from amlsdk.handing.credentials import Credential
from amlsdk.operations.manifests import GetManifest
from amlsdk.places import Place
from amlsdk.processes.detaching import let_go_of_streams
from amlsdk.processes.stopping import Stopping
from amlsdk.records.deployments import DeploymentOrders, DeploymentStatus
from amlsdk.service import Service

__all__ = ["drive"]

_LOGGER = logging.getLogger("amlsdk")
# A change of health is told within this time, and a signal heard.
_WAIT_S = 2.0
_AWAY_S = 1.0
# Where something is wrong, that it is well again is told sooner.
_ILL_S = 0.2


def drive(place: Place, handed: Handed, credential: Credential) -> None:
    """Serve a deployment until somebody asks to stop it, or it can't be served.

    Args:
        place: Where the workspace is.
        handed: The deployment, which was claimed for this process.
        credential: What is shown to a service.
    """
    deployment_id = handed.orders.deployment.id
    folder = place.spool.deployments / deployment_id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    let_go_of_streams(os.fspath(folder / "supervisor.log"))
    _log_to_standard_error()
    stopping = Stopping(signal.SIGTERM)
    service = HandedService(place, handed, credential)
    try:
        link = Link(service, deployment_id)
        orders = link.claim()
        _LOGGER.info("deployment %s (%s): claimed", orders.deployment.name, deployment_id)
        _serve(place, link, orders, stopping)
    except Lost as error:
        _LOGGER.warning("deployment %s is another's now: %s", deployment_id, error)
    except Exception:
        _LOGGER.exception("the supervisor gives up")
        raise
    finally:
        service.close()


def _serve(place: Place, link: Link, orders: DeploymentOrders, stopping: Stopping) -> None:
    site = _site(place, link.service, orders)
    site.log.parent.mkdir(parents=True, exist_ok=True)
    _log_to(site.log)
    try:
        if orders.deployment.secrets:
            site = attrs.evolve(site, secrets=link.values_of(orders.deployment.secrets))
            mask_log(_LOGGER, link.mask)
        deployer: Deployer = plugins.load("amlsdk.deployers", orders.deployment.target)()
        serving = deployer.open(site)
    except (AmlError, OSError) as error:
        _LOGGER.exception("deployment %s can't be opened", site.name)
        link.observed = orders.deployment.generation
        link.tell(DeploymentStatus.FAILED, reason=str(error), problem=str(error))
        return
    try:
        log = LogKeeping(
            site.log,
            service=link.service if place.spool.shipped else None,
            deployment_id=site.deployment_id,
            note=site.folder / "log.json",
        )
        _Watch(link, serving, site, orders, log).keep(stopping)
    finally:
        serving.close(0)


class _Watch:
    """The loop of a supervisor.

    Args:
        link: To the service.
        serving: The endpoint.
        site: Where it is.
        orders: The first.
        log: Of the endpoint.
    """

    def __init__(self, link: Link, serving: Serving, site: Site, orders: DeploymentOrders, log: LogKeeping) -> None:
        self._link, self._serving, self._site, self._log = link, serving, site, log
        self._orders = orders
        link.scoring_uri = serving.uri
        self._steering = Steering(serving, find_image=link.find_image)

    def keep(self, stopping: Stopping) -> None:
        """Serve until the end, and tell it."""
        try:
            while not (stopping.asked or self._orders.stop) and self._steering.situation.failure is None:
                self._serving.set_keys(self._orders.keys)
                self._steering.want(self._orders.deployment)
                stopping.during(self._report)
            # Whoever asked to stop may have waited for the end of a start; the failure comes first.
            failure = self._steering.situation.failure
        finally:
            self._steering.close()
        self._end(failure)

    def _report(self) -> None:
        if not self._site.folder.is_dir():
            # With its workspace, or alone: nobody can tell this process to stop any more. The catalogue itself does not
            # say so: a removed file can be used for as long as it is open.
            raise Lost(f"its folder {os.fspath(self._site.folder)!r} was removed")
        if not self._steering.is_settled:
            # Something is under way: its end is told at once, and until then the service would not hold an answer back.
            self._steering.news.wait(_WAIT_S)
        self._steering.news.clear()
        situation = self._steering.situation
        if situation.failure is not None:
            return
        self._take_over(situation)
        self._log.tend()
        settled = self._steering.is_settled
        status, reason = self._how_it_is(situation)
        orders = self._link.report(
            status,
            reason=reason,
            problem=situation.problem,
            traffic=self._serving.traffic(),
            keys=self._orders.keys,
            wait_s=0.0 if not settled else _ILL_S if reason else _WAIT_S,
        )
        if orders is None:
            time.sleep(_AWAY_S)
        else:
            self._orders = orders

    def _take_over(self, situation: Situation) -> None:
        self._link.observed = situation.observed
        self._link.serving_id = situation.serving_id

    def _how_it_is(self, situation: Situation) -> tuple[str, str]:
        if situation.serving_id is None:
            return DeploymentStatus.CREATING, "it is being started"
        health = self._serving.poll()
        self._link.restarts = health.restarts
        return health.status, health.reason

    def _end(self, failure: str | None) -> None:
        self._take_over(self._steering.situation)
        if failure is None:
            _LOGGER.info("deployment %s: drains", self._site.name)
        self._serving.close(0 if failure else self._site.settings.drain_s)
        self._link.serving_id = None
        self._log.finish()
        self._link.tell(
            DeploymentStatus.STOPPED if failure is None else DeploymentStatus.FAILED,
            reason=failure or "",
            problem=failure,
            traffic=self._serving.traffic(),
        )


def _site(place: Place, service: Service, orders: DeploymentOrders) -> Site:
    deployment, spool = orders.deployment, place.spool
    return Site(
        deployment_id=deployment.id,
        name=deployment.name,
        folder=spool.deployments / deployment.id,
        cache=spool.cache,
        log=spool.logs / f"{deployment.id}.log",
        blobs=_blobs(place, service),
        find_manifest=lambda manifest_id: service.send(GetManifest(manifest_id=manifest_id)),
        settings=deployment.settings,
        keys=orders.keys,
        environment_variables=deployment.environment_variables,
        scoring_uri=deployment.scoring_uri,
    )


def _blobs(place: Place, service: Service) -> Blobs:
    if place.spool.blobs is not None:
        from amlsdk.storage.blobs.folder import FolderBlobStore

        return FolderBlobStore(place.spool.blobs)
    from amlsdk.storage.blobs.through_service import ServiceBlobs

    return ServiceBlobs(service)


def _log_to(path: Path) -> None:
    """Let the supervisor's lines stand among those of the processes."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s amlsdk: %(message)s"))
    _LOGGER.addHandler(handler)


def _log_to_standard_error() -> None:
    if not any(isinstance(handler, logging.StreamHandler) for handler in _LOGGER.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)

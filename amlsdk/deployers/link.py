"""What a supervisor of a deployment tells the service, and what it hears."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from amlsdk.errors import AmlError, Conflict, NotFound, OperationFailed, Unavailable
from amlsdk.operations.deployments import ClaimDeployment, ReportDeployment
from amlsdk.operations.images import GetImage
from amlsdk.operations.secrets import GetSecret
from amlsdk.processes import this_process
from amlsdk.records.deployments import DeploymentKeys, DeploymentOrders, TrafficRecord
from amlsdk.records.images import ImageRecord
from amlsdk.service import Service
from amlsdk.storage.secrets.masking import Mask

__all__ = ["Link", "Lost"]

R = TypeVar("R")
_LOGGER = logging.getLogger("amlsdk")
_PATIENCE_S = 10.0
_PAUSE_S = 0.5
_MOST_REASON = 8192


class Lost(Exception):  # of this package alone
    """The deployment is another supervisor's by now, or was deleted."""


class Link:
    """A client of the service on behalf of one supervisor.

    Args:
        service: Of the workspace.
        deployment_id: Of the deployment.
    """

    def __init__(self, service: Service, deployment_id: str) -> None:
        self.service = service
        self.observed = 0
        self.serving_id: str | None = None
        self.scoring_uri: str | None = None
        self.restarts = 0
        self.mask = Mask(())
        self._deployment_id = deployment_id
        self._identity = this_process()
        self._told: TrafficRecord | None = None
        self._is_away = False

    def claim(self) -> DeploymentOrders:
        """Become the supervisor.

        Raises:
            Conflict: Another one has it.
            NotFound: There is no such deployment.
            Unavailable: The service does not answer for ten seconds.
        """
        request = ClaimDeployment(deployment_id=self._deployment_id, supervisor=self._identity)
        orders = self._patiently(lambda: self.service.send(request))
        self.observed = orders.deployment.observed
        self.restarts = orders.deployment.restarts
        return orders

    def values_of(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Return the values of secrets by environment variable, and mask them in what is told from now on.

        Raises:
            AmlError: One can't be had; the message says which.
        """
        found = {variable: self._value_of(variable, name) for variable, name in secrets.items()}
        self.mask = Mask(found.values())
        return found

    def _value_of(self, variable: str, name: str) -> str:
        try:
            return self._patiently(lambda: self.service.send(GetSecret(name=name))).value
        except AmlError as error:
            raise OperationFailed(f"the secret {name!r} for {variable} can't be had: {error}") from error

    def find_image(self, image_id: str) -> ImageRecord:
        """Read an image, and try for ten seconds.

        Raises:
            AmlError: It is not there, or the service is not.
        """
        return self._patiently(lambda: self.service.send(GetImage(image_id=image_id)))

    def report(
        self,
        status: str,
        *,
        reason: str,
        problem: str | None,
        traffic: TrafficRecord,
        keys: DeploymentKeys,
        wait_s: float,
    ) -> DeploymentOrders | None:
        """Say how it is and return what is wanted; None where the service can't be reached now.

        Raises:
            Lost: Another supervisor has it, or it was deleted.
        """
        request = attrs.evolve(self._request(status, reason, problem, traffic), keys_seen=keys.digest, wait_s=wait_s)
        try:
            orders = self.service.send(request)
        except (Conflict, NotFound) as error:
            raise Lost(str(error)) from error
        except AmlError as error:
            if not self._is_away:
                _LOGGER.warning("the service can't be reached; what serves goes on: %s", error)
            self._is_away = True
            return None
        if self._is_away:
            _LOGGER.info("the service answers again")
        self._is_away, self._told = False, traffic
        return orders

    def tell(
        self, status: str, *, reason: str = "", problem: str | None = None, traffic: TrafficRecord | None = None
    ) -> None:
        """Say how it ended, and try for ten seconds: after that, the service finds that this process is gone."""
        request = self._request(status, reason, problem, traffic)
        try:
            self._patiently(lambda: self.service.send(request))
        except (Conflict, NotFound) as error:
            raise Lost(str(error)) from error
        except AmlError as error:
            _LOGGER.warning("%s was not reported: %s", status, error)

    def _patiently(self, ask: Callable[[], R]) -> R:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return ask()
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                _LOGGER.warning("the service is asked again: %s", error)
            time.sleep(_PAUSE_S)

    def _request(
        self, status: str, reason: str, problem: str | None, traffic: TrafficRecord | None
    ) -> ReportDeployment:
        return ReportDeployment(
            deployment_id=self._deployment_id,
            supervisor=self._identity,
            status=status,
            reason=_clean(self.mask.text(reason)),
            observed=self.observed,
            problem=None if problem is None else _clean(self.mask.text(problem)),
            serving_id=self.serving_id,
            scoring_uri=self.scoring_uri,
            restarts=self.restarts,
            traffic=None if traffic is None or self._is_told(traffic) else traffic,
        )

    def _is_told(self, traffic: TrafficRecord) -> bool:
        return self._told is not None and attrs.evolve(traffic, at=self._told.at) == self._told


def _clean(text: str) -> str:
    """Return a text without what a record can't have: a process may say bytes that are not UTF-8."""
    return text.encode(errors="replace").decode().replace("\0", "")[:_MOST_REASON]

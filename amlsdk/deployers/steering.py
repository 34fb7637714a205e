"""Bringing about what is wanted of a deployment, one thing after the other, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import attrs

from amlsdk.deployers.base import Revision, Serving
from amlsdk.errors import AmlError, OperationFailed
from amlsdk.records.deployments import DeploymentRecord
from amlsdk.records.images import ImageRecord

__all__ = ["Situation", "Steering"]

_LOGGER = logging.getLogger("amlsdk")


@attrs.frozen(kw_only=True)
class Situation:
    """How far a deployment is.

    Args:
        observed: The newest generation that was carried out, or could not be.
        problem: Why the newest could not be carried out, or None.
        serving_id: The image that gets the requests, or None.
        failure: Why nothing serves and nothing more is tried, or None.
    """

    observed: int = 0
    problem: str | None = None
    serving_id: str | None = None
    failure: str | None = None


class Steering:
    """Brings about the newest of what is wanted; something newer gives up a start that is under way.

    The revision that served before stays warm, so that going back to it takes no time; older ones are retired.

    Args:
        serving: The endpoint.
        find_image: Returns the record of an image.
    """

    def __init__(self, serving: Serving, *, find_image: Callable[[str], ImageRecord]) -> None:
        self.situation = Situation()
        self.news = threading.Event()
        self._serving = serving
        self._find_image = find_image
        self._wanted: DeploymentRecord | None = None
        self._present: Revision | None = None
        self._former: Revision | None = None
        self._replicas = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="amlsdk-steering", daemon=True)
        self._thread.start()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way."""
        with self._change:
            return self._wanted is None

    def want(self, deployment: DeploymentRecord) -> None:
        """Say what is wanted; what is so already, or is under way, is not begun again."""
        with self._change:
            known = self._wanted.generation if self._wanted else self.situation.observed
            if deployment.generation > known or (self._is_idle() and not self.situation.failure):
                self._wanted = deployment
                self._change.notify_all()

    def close(self) -> None:
        """Begin nothing more, and give up what is under way."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join()

    def _is_idle(self) -> bool:
        return self._present is None and self._wanted is None

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closing or self._wanted is not None)
                wanted = self._wanted
            if self._closing or wanted is None:
                return
            situation = self._carry_out(wanted)
            with self._change:
                self.situation = situation
                if self._wanted is wanted:
                    self._wanted = None
            self.news.set()

    def _carry_out(self, wanted: DeploymentRecord) -> Situation:
        problem = None
        try:
            self._bring_about(wanted.image_id, wanted)
        except Exception as error:
            if not isinstance(error, AmlError):
                _LOGGER.exception("deployment %s: generation %s", wanted.name, wanted.generation)
            problem = str(error) if isinstance(error, AmlError) else f"{type(error).__name__}: {error}"
            _LOGGER.warning("deployment %s: not carried out: %s", wanted.name, problem)
        return Situation(
            observed=wanted.generation,
            problem=problem,
            serving_id=self._present.image.id if self._present else None,
            failure=problem if self._present is None and not self._is_unwanted(wanted) else None,
        )

    def _bring_about(self, image_id: str, wanted: DeploymentRecord) -> None:
        if self._present is None or self._present.image.id != image_id:
            self._change_to(image_id, wanted)
        if self._replicas != wanted.replicas:
            self._serving.scale(wanted.replicas)
            self._replicas = wanted.replicas

    def _change_to(self, image_id: str, wanted: DeploymentRecord) -> None:
        former = self._former
        if former is not None and former.image.id == image_id:
            self._serving.switch(former)
            self._former, self._present = self._present, former
            # It stood by with as many replicas as it had then.
            self._replicas = 0
            return
        revision = self._serving.start(
            self._find_image(image_id), wanted.replicas, is_unwanted=lambda: self._is_unwanted(wanted)
        )
        try:
            self._serving.switch(revision)
        except OperationFailed:
            self._serving.retire(revision)
            raise
        self._former, self._present, self._replicas = self._present, revision, wanted.replicas
        if former is not None:
            self._serving.retire(former)

    def _is_unwanted(self, wanted: DeploymentRecord) -> bool:
        # Without the lock: it is asked often, and what it reads is replaced as a whole.
        newest = self._wanted
        return self._closing or (newest is not None and newest.generation > wanted.generation)

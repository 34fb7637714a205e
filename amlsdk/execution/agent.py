"""An agent: a machine that executes what others submit to it by name, and serves what they deploy on it."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping

import attrs

from amlsdk import plugins
from amlsdk.deployers import handing_over as deployments
from amlsdk.errors import AmlError, Conflict, InvalidArgument, NotFound, NotSignedIn
from amlsdk.execution.lost import end_lost
from amlsdk.handing import runs
from amlsdk.handing.credentials import Credential
from amlsdk.operations.agents import AttachAgent, HeartbeatAgent, ListAgents
from amlsdk.operations.deployments import ClaimDeployment, GetDeployment, ReportDeployment
from amlsdk.operations.images import GetImage
from amlsdk.places import Place
from amlsdk.processes import is_gone, this_process
from amlsdk.processes.launching import Detached
from amlsdk.processes.stopping import Stopping
from amlsdk.records.agents import AgentOrders, AgentRecord
from amlsdk.records.deployments import DeploymentRecord, DeploymentStatus
from amlsdk.records.ids import new_id
from amlsdk.service import Service

__all__ = ["Agent", "check_agent_name"]

_LOGGER = logging.getLogger("amlsdk")
# Shorter than its lease.
_WAIT_S = 15.0
_AWAY_S = 2.0
_LOST_EVERY_S = 60.0
_LEASE_S = 40.0


def check_agent_name(name: str) -> str:
    """Return what may name an agent.

    Raises:
        InvalidArgument: It is the name of a target.
    """
    if runs.is_adapter(name):
        raise InvalidArgument(f"an agent can't be called {name!r}: a target is called so; choose another name")
    return name


@attrs.define(eq=False)
class Agent:
    """Attached under a name until it is told to end. What it has begun by then goes on: each has its own supervisor.

    Args:
        service: Of the workspace.
        place: Where that is.
        credential: What is shown to the service; renewed on the way.
        name: Unique in the workspace.
        slots: How many runs it executes at once.
        facts: What it says of its machine.
        stopping: Says when it is to end.
    """

    service: Service
    place: Place
    credential: Credential
    name: str
    slots: int
    facts: Mapping[str, str]
    stopping: Stopping
    _looked_s: float = attrs.field(default=float("-inf"), init=False)
    _is_away: bool = attrs.field(default=False, init=False)

    def attach(self) -> AgentRecord:
        """Take the name.

        Raises:
            Conflict: Another agent has it.
        """
        check_agent_name(self.name)
        request = AttachAgent(
            id=new_id(), name=self.name, identity=this_process(), slots=self.slots, facts=dict(self.facts)
        )
        deadline = time.monotonic() + _LEASE_S
        while True:
            try:
                return self.service.send(request)
            except Conflict:
                # The service may not know what this machine does: its predecessor has ended without a word.
                if not self._is_orphaned() or time.monotonic() > deadline or self.stopping.asked:
                    raise
            self.stopping.during(lambda: time.sleep(_AWAY_S))

    def work(self, record: AgentRecord) -> None:
        """Begin what is to be begun, as it comes. Waits until this process is told to end.

        Raises:
            Conflict: Another process has taken the name.
        """
        while not self.stopping.asked:
            try:
                self._look_for_lost()
                request = HeartbeatAgent(agent_id=record.id, identity=this_process(), wait_s=_WAIT_S)
                orders = self.stopping.during(functools.partial(self.service.send, request))
                if orders is not None:
                    self._heard()
                    self._take(orders)
            except Conflict:
                raise
            except NotFound:
                # It was deleted while it was away.
                record = self.attach()
            except (AmlError, OSError) as error:
                self._wait(error)

    def _take(self, orders: AgentOrders) -> None:
        for _ in range(orders.queued):
            with Detached(runs.SUPERVISOR) as starting:
                run = runs.hand_over(self.service, self.place, starting, target=self.name)
            if run is None:
                break
            _LOGGER.info("began run %s (%s)", run.name, run.id)
        for deployment_id in orders.deployments:
            self._serve(deployment_id)

    def _serve(self, deployment_id: str) -> None:
        try:
            record = self.service.send(GetDeployment(deployment_id=deployment_id))
            image = self.service.send(GetImage(image_id=record.image_id))
            try:
                plugins.load("amlsdk.deployers", record.target)().check(image, record.settings, record.replicas)
            except AmlError as error:
                self._refuse(record, str(error))
                return
            with Detached(deployments.SUPERVISOR) as starting:
                deployments.hand_over(self.service, self.place, starting, deployment_id=record.id, image=image)
            _LOGGER.info("began to serve %s (%s)", record.name, record.id)
        except (Conflict, NotFound) as error:
            # It was deleted or stopped, or another agent of this name was quicker.
            _LOGGER.warning("deployment %s is not served: %s", deployment_id, error)

    def _refuse(self, record: DeploymentRecord, reason: str) -> None:
        _LOGGER.warning("deployment %s can't be served here: %s", record.name, reason)
        self.service.send(ClaimDeployment(deployment_id=record.id, supervisor=this_process()))
        request = ReportDeployment(
            deployment_id=record.id,
            supervisor=this_process(),
            status=DeploymentStatus.FAILED,
            reason=f"the agent {self.name!r} can't serve it: {reason}",
            problem=reason,
            observed=record.generation,
        )
        self.service.send(request)

    def _is_orphaned(self) -> bool:
        found = self.service.send(ListAgents(name=self.name, limit=1)).items
        return bool(found) and is_gone(found[0].identity) is True

    def _look_for_lost(self) -> None:
        if time.monotonic() - self._looked_s >= _LOST_EVERY_S:
            end_lost(self.service, self.place)
            self._looked_s = time.monotonic()

    def _heard(self) -> None:
        if self._is_away:
            _LOGGER.info("the service answers again")
        self._is_away = False
        self.credential.tend(self.service)

    def _wait(self, error: Exception) -> None:
        if isinstance(error, NotSignedIn) and self.credential.look_for_newer():
            return
        if not self._is_away:
            _LOGGER.warning("nothing new is begun until the service answers; what was begun goes on: %s", error)
        self._is_away = True
        self.stopping.during(lambda: time.sleep(_AWAY_S))

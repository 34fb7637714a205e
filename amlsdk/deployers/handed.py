"""What a client hands to a supervisor, so that the image is started before the workspace is opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from amlsdk.errors import NotSignedIn
from amlsdk.handing.credentials import Credential
from amlsdk.operations import Request
from amlsdk.operations.deployments import ClaimDeployment
from amlsdk.operations.images import GetImage
from amlsdk.operations.manifests import GetManifest
from amlsdk.places import Place, open_backend
from amlsdk.records.converting import CONVERTER
from amlsdk.records.deployments import DeploymentOrders
from amlsdk.records.images import ImageRecord
from amlsdk.records.manifests import ManifestRecord
from amlsdk.service import Backend, Service

__all__ = ["Handed", "HandedService"]

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Handed:
    """What a client knows that has claimed a deployment for its supervisor.

    Args:
        orders: The answer to the claim.
        image: That is to serve.
        manifest: What it was made of.
    """

    orders: DeploymentOrders
    image: ImageRecord
    manifest: ManifestRecord

    def to_message(self) -> dict[str, Any]:
        """Return this as JSON; it holds the keys, and so is for a pipe only."""
        message: dict[str, Any] = CONVERTER.unstructure(self)
        return message

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Handed:
        """Read what `to_message` wrote."""
        return CONVERTER.structure(message, cls)


class HandedService(Service):
    """A service that answers at once what was handed, and the rest as soon as the workspace is open.

    Opening it takes longer than starting a process that serves, and so is done meanwhile, in a thread.

    Args:
        place: Where the workspace is.
        handed: What is known already.
        credential: What is shown to a service; renewed on the way.
    """

    def __init__(self, place: Place, handed: Handed, credential: Credential) -> None:
        self._place, self._handed, self._credential = place, handed, credential
        self._claim: DeploymentOrders | None = handed.orders
        self._opened = threading.Event()
        self._backend: Backend | None = None
        self._service: Service | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._open, name="amlsdk-opening", daemon=True).start()

    def send(self, request: Request[R]) -> R:
        """Carry out one operation."""
        known = self._known(request)
        return self._ask(request) if known is None else cast("R", known)

    def _ask(self, request: Request[R]) -> R:
        service = self._wait()
        try:
            reply = service.send(request)
        except NotSignedIn:
            if not self._credential.look_for_newer():
                raise
            reply = service.send(request)
        self._credential.tend(service)
        return reply

    def close(self) -> None:
        """Revoke the token and close the workspace."""
        with contextlib.suppress(Exception):
            self._credential.end(self._wait())
        if self._backend is not None:
            self._backend.close()

    def _known(self, request: Request[Any]) -> Any:
        handed = self._handed
        if isinstance(request, ClaimDeployment):
            # The claim that the client made is told once.
            claimed, self._claim = self._claim, None
            return claimed
        if isinstance(request, GetImage) and request.image_id == handed.image.id:
            return handed.image
        if isinstance(request, GetManifest) and request.manifest_id == handed.manifest.id:
            return handed.manifest
        return None

    def _open(self) -> None:
        try:
            self._backend = open_backend(self._place.location, token=self._credential.source)
            self._service = self._backend.open()
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            self._error = error
        finally:
            self._opened.set()

    def _wait(self) -> Service:
        self._opened.wait()
        if self._service is None:
            raise self._error or RuntimeError("the workspace was not opened")
        return self._service

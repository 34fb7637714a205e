"""A team's service, in this process: who asks is told by a token, what they may do by the directory."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import select

from amlsdk.errors import Denied
from amlsdk.local.audit import Audit
from amlsdk.local.handling import HANDLERS as WORKSPACE_HANDLERS
from amlsdk.operations import CALLER, SUBSCRIPTION, Operation, Request, Role, operation_of
from amlsdk.operations.projects import GetProject
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.service import Guard, Host, Principal, Service
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.tenancy.schema import subscription
from amlsdk.tenancy.beginning import begin
from amlsdk.tenancy.estate import FolderEstate
from amlsdk.tenancy.handling import HANDLERS, Directory
from amlsdk.tenancy.roles import Roles, role_text
from amlsdk.tenancy.signing_in import SignIn
from amlsdk.tenancy.workspaces import find_workspace, only_workspace

__all__ = ["TenantHost"]

DIRECTORY_FILE = "service.sqlite"


class TenantHost(Host):
    """Keeps a directory and workspaces; several processes may, over the same database and blob store.

    Args:
        root: Folder of the service, made where there is none.
        owner: Name of the first owner, where the service is new.

    Attributes:
        first_token: The first owner's token where this object made the service, else None; it is kept nowhere.
    """

    def __init__(self, root: Path, *, owner: str = "owner") -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self._database = Database(f"sqlite:///{root / DIRECTORY_FILE}")
        self.estate = FolderEstate(root, key_file=root / "secrets.key")
        self.first_token = begin(self._database, root=root, owner=owner)
        self._roles = Roles(self._database)
        self._directory = Directory(database=self._database, roles=self._roles, estate=self.estate)
        self._sign_in = SignIn(self._database)
        self._audit = Audit(root / "audit.jsonl")

    def sign_in(self, token: str | None) -> Principal:  # noqa: D102
        return self._sign_in.principal(token)

    def service(self, principal: Principal, workspace: str | None) -> Service:  # noqa: D102
        asked = _Asked(self, principal, workspace)
        return Guard(principal, answer=asked.answer, audit=self._audit.write, role_on=asked.role_on)

    def repository(self, principal: Principal, workspace: str | None, project_id: str, *, push: bool) -> Path:  # noqa: D102
        asked = _Asked(self, principal, workspace)
        project = self.service(principal, workspace).send(GetProject(project_id=project_id))
        if push and asked.role < Role.CONTRIBUTOR:
            raise Denied(f"pushing needs the role contributor; {principal.name!r} is {role_text(asked.role)} here")
        return self.root / "repositories" / str(asked.row.id) / f"{project.id}.git"

    def ready(self) -> None:  # noqa: D102
        with self._database.read() as connection:
            connection.execute(select(subscription.c.id)).one()

    def close(self) -> None:  # noqa: D102
        self.estate.close()
        self._audit.close()
        self._database.close()

    @property
    def directory(self) -> Directory:
        """The directory, for handlers."""
        return self._directory


@attrs.define(slots=False)
class _Asked:
    """A workspace that is asked, looked for when an operation needs it."""

    host: TenantHost
    principal: Principal
    workspace: str | None
    _row: Any = attrs.field(default=None, init=False)

    @property
    def row(self) -> Any:
        """What the directory has of it."""
        if self._row is None:
            with self.host.directory.database.read() as connection:
                if self.workspace is None:
                    self._row = only_workspace(connection, self.principal)
                else:
                    self._row = find_workspace(connection, self.principal, self.workspace)
        return self._row

    @functools.cached_property
    def role(self) -> Role:
        """The caller's in it."""
        return self.host.directory.roles.on(self.principal, self.row.id)

    def role_on(self, operation: Operation, request: Request[Any]) -> Role:
        roles = self.host.directory.roles
        if operation.on is None:
            return self.role
        if operation.on == CALLER:
            return Role.OWNER
        if operation.on == SUBSCRIPTION:
            return roles.on_subscription(self.principal) or Role.NONE
        return roles.on(self.principal, getattr(request, operation.on))

    def answer(self, principal: Principal, request: Request[Any]) -> Any:
        if operation_of(request).on is not None:
            return HANDLERS[type(request)](self.host.directory, principal, request)
        row = self.row
        local = self.host.estate.local(row.id, row.name, row.place)
        reply = WORKSPACE_HANDLERS[type(request)](local, principal, request)
        if isinstance(reply, WorkspaceRecord):
            shared = {"name": row.name, "team_id": row.team_id, "region": row.region, "description": row.description}
            reply = attrs.evolve(reply, role=role_text(self.role), **shared)
        return reply

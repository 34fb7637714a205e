"""A team's service, in this process: who asks is told by a token, what they may do by the directory."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from amlsdk.errors import Denied
from amlsdk.local.audit import Audit
from amlsdk.local.handling import HANDLERS as WORKSPACE_HANDLERS
from amlsdk.local.handling import Local
from amlsdk.operations import CALLER, SUBSCRIPTION, Operation, Request, Role, operation_of
from amlsdk.operations.projects import GetProject
from amlsdk.operations.tenancy import CreateToken
from amlsdk.records.tenancy import TokenRecord
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.repositories.making import bare_repository
from amlsdk.service import Guard, Host, Principal, Service
from amlsdk.storage.tenancy.schema import subscription
from amlsdk.tenancy.grounds import open_grounds
from amlsdk.tenancy.handling import HANDLERS, Directory
from amlsdk.tenancy.roles import Roles, role_text
from amlsdk.tenancy.signing_in import SignIn
from amlsdk.tenancy.workspaces import find_workspace, only_workspace

if TYPE_CHECKING:
    from amlsdk.tenancy.openid import OpenId

__all__ = ["TenantHost"]


class TenantHost(Host):
    """Keeps a directory and workspaces; several processes may, over the same database and blob store.

    Args:
        root: Folder of the service on this machine, made where there is none.
        owner: Name of the first owner, where the service is new.
        database: URL of a PostgreSQL database (`postgresql+psycopg://user:password@host/name`), in which several
            processes may keep the service; None is SQLite in the folder.
        blobs: URL or folder of the blobs, for several processes one that is common to them; None is in the folder.
        secrets: URL of an Azure Key Vault for the secrets; None is encrypted in the database.
        openid: With which provider people sign in besides tokens; None is with none.

    Attributes:
        first_token: The first owner's token where this object made the service, else None; it is kept nowhere.

    Raises:
        InvalidArgument: Nobody can have the owner's name, or a URL can't be read.
        Conflict: A newer version of amlsdk made the service.
        MissingDependency: A package for the database, the blobs or the sign-in is not installed.
        Unavailable: The database or the blobs can't be reached, or have to be migrated while others use them.
    """

    def __init__(
        self,
        root: Path,
        *,
        owner: str = "owner",
        database: str | None = None,
        blobs: str | None = None,
        secrets: str | None = None,
        openid: OpenId | None = None,
    ) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self._grounds = open_grounds(root, database=database, blobs=blobs, secrets=secrets)
        try:
            self.first_token = self._grounds.begin(root, owner)
            self._audit = Audit(root / "audit.jsonl")
        except BaseException:
            self._grounds.close()
            raise
        self._database, self.estate = self._grounds.directory, self._grounds.estate
        self._roles = Roles(self._database)
        way = "openid" if openid else ""
        self._directory = Directory(database=self._database, roles=self._roles, estate=self.estate, sign_in=way)
        self._sign_in = SignIn(self._database)
        if openid is not None:
            # Only now: a service that asks no provider has nothing loaded that could ask one.
            from amlsdk.tenancy.openid import OpenIdSignIn

            self.by_browser = OpenIdSignIn(settings=openid, database=self._database, create=self._create_token)

    def sign_in(self, token: str | None) -> Principal:  # noqa: D102
        return self._sign_in.principal(token)

    def service(self, principal: Principal, workspace: str | None) -> Service:  # noqa: D102
        asked = _Asked(self, principal, workspace)
        return Guard(principal, answer=asked.answer, audit=asked.audit, role_on=asked.role_on, place=asked.workspace_id)

    def repository(self, principal: Principal, workspace: str | None, project_id: str, *, push: bool) -> Path:  # noqa: D102
        asked = _Asked(self, principal, workspace)
        project = self.service(principal, workspace).send(GetProject(project_id=project_id))
        if push:
            allowed = asked.role >= Role.CONTRIBUTOR
            outcome = "ok" if allowed else Denied.code
            self.audit.note(principal, "Push", {"project_id": project.id}, outcome, workspace_id=asked.workspace_id())
            if not allowed:
                raise Denied(f"pushing needs the role contributor; {principal.name!r} is {role_text(asked.role)} here")
        return bare_repository(asked.local.repository(project.id))

    def ready(self) -> None:  # noqa: D102
        with self._database.read() as connection:
            connection.execute(select(subscription.c.id)).one()

    def close(self) -> None:  # noqa: D102
        self._grounds.close()
        self._audit.close()

    @property
    def audit(self) -> Audit:
        """Where it is written down who did what."""
        return self._audit

    @property
    def directory(self) -> Directory:
        """The directory, for handlers."""
        return self._directory

    def _create_token(self, principal: Principal, request: CreateToken) -> TokenRecord:
        return self.service(principal, None).send(request)


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

    @property
    def local(self) -> Local:
        """The workspace itself."""
        return self.host.estate.local(self.row.id, self.row.name, self.row.place)

    @functools.cached_property
    def role(self) -> Role:
        """The caller's in it."""
        return min(Role(self.row.mine), self.principal.role)

    def workspace_id(self) -> str | None:
        return None if self._row is None else str(self._row.id)

    def audit(self, principal: Principal, operation: Operation, request: Request[Any], outcome: str) -> None:
        self.host.audit.write(principal, operation, request, outcome, workspace_id=self.workspace_id())

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
        reply = WORKSPACE_HANDLERS[type(request)](self.local, principal, request)
        if isinstance(reply, WorkspaceRecord):
            row = self.row
            shared = {"name": row.name, "team_id": row.team_id, "region": row.region, "description": row.description}
            reply = attrs.evolve(reply, role=role_text(self.role), **shared)
        return reply

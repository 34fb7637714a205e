"""Projects: folders of work, and the experiments on them."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.projects import (
    CreateProject,
    DeleteProject,
    GetProject,
    ListProjects,
    PublishProject,
    UpdateProject,
)
from amlsdk.records.ids import new_id
from amlsdk.records.names import check_name, check_text
from amlsdk.records.pages import Page
from amlsdk.records.projects import ProjectRecord
from amlsdk.resources.arguments import local_path
from amlsdk.resources.capture.sensitive import without_credentials
from amlsdk.resources.experiment import ExperimentCollection
from amlsdk.resources.resource import Collection, Resource
from amlsdk.resources.runs import RunCollection, Scope

__all__ = ["Project", "ProjectCollection"]


class Project(Resource[ProjectRecord]):
    """A project: the folder of work on one solution, and the experiments and runs on it."""

    what = "project"

    def _read(self) -> ProjectRecord:
        return self._client.send(GetProject(project_id=self.id))

    @property
    def folder(self) -> Path | None:
        """The folder of its files: as this connection named it, else as it was named last; None where it has none."""
        folder = self._client.folders.get(self.id, self._record.folder)
        return Path(folder) if folder else None

    @property
    def description(self) -> str:
        """Free text."""
        return self._record.description

    @property
    def experiments(self) -> ExperimentCollection:
        """Its experiments."""
        return ExperimentCollection(self._client, project_id=self.id)

    @property
    def runs(self) -> RunCollection:
        """The runs of its experiments."""
        return RunCollection(self._client, Scope(project_id=self.id))

    def update(self, *, folder: str | os.PathLike[str] | None = None, description: str | None = None) -> Project:
        """Change the folder or the description; None leaves it.

        Raises:
            InvalidArgument: Not a folder, or not a text.
        """
        if description is not None:
            check_text(description, what="update(description=...)")
        place = _absolute(folder, "update")
        self._record = self._client.send(UpdateProject(project_id=self.id, folder=place, description=description))
        if place is not None:
            self._client.folders[self.id] = place
        return self

    @property
    def remote(self) -> str | None:
        """Where its code was published: `service`, or the URL of a git repository; None where it was not."""
        return self._record.remote

    @property
    def branch(self) -> str | None:
        """The branch that was published."""
        return self._record.branch

    @property
    def head(self) -> str | None:
        """The newest commit that was published."""
        return self._record.head

    def publish(self, remote: str | None = None, *, branch: str | None = None) -> Project:
        """Let the members of the workspace have the code: push what is committed, by git.

        Args:
            remote: Name or URL of a git repository of one's own (Azure Repos or any other), asked with the user's own
                credentials. By default the repository that comes with the project, for which the workspace's token
                is enough.
            branch: To push to; by default the one that is checked out.

        Raises:
            InvalidArgument: The project's folder is in no git repository, has no commit, or the remote is none.
            Conflict: Somebody published other commits meanwhile.
            Denied: The remote refuses the credentials.
            MissingDependency: There is no git on this machine.
        """
        from amlsdk.resources.publishing import Repository

        repository = Repository.of(self.folder, token=None if remote else self._client.token)
        url = self._client.backend.repository(self.id) if remote is None else repository.remote(remote)
        head, branch = repository.head(), repository.branch(branch)
        # A remote of the user's own is not given what they did not commit.
        repository.push(url, branch=branch, history_as=None if remote else self._user())
        told = "service" if remote is None else without_credentials(url)
        self._record = self._client.send(PublishProject(project_id=self.id, remote=told, branch=branch, head=head))
        return self

    def clone(self, folder: str | os.PathLike[str]) -> Path:
        """Write the published code out into a new or empty folder, as a git repository with the same branch.

        Returns:
            The folder.

        Raises:
            NotFound: It was not published, or its repository is gone.
            InvalidArgument: The folder has something in it.
        """
        from amlsdk.resources.publishing import check_branch, clone, remote_url

        record = self.refresh().record
        if record.remote is None or record.branch is None:
            raise NotFound(f"the code of project {self.name!r} was not published: project.publish() does that")
        place = local_path(folder, what="clone(folder=...)").absolute()
        own = record.remote == "service"
        url = self._client.backend.repository(self.id) if own else remote_url(record.remote)
        clone(url, place, branch=check_branch(record.branch), token=self._client.token if own else None)
        return place

    def _user(self) -> str:
        try:
            name = getpass.getuser()
        except (KeyError, OSError, ImportError):  # a container whose user has no name
            name = "user"
        return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)

    def delete(self) -> None:
        """Delete this project with its experiments and runs; an absent one is no error.

        Raises:
            Conflict: Runs are active, or models came from them; the message names them.
        """
        self._client.send(DeleteProject(project_id=self.id))


class ProjectCollection(Collection[Project]):
    """The projects of a workspace."""

    what = "project"

    def create(self, name: str, *, folder: str | os.PathLike[str] | None = None, description: str = "") -> Project:
        """Create a project.

        Args:
            name: Unique in the workspace.
            folder: The existing folder of its files; what is submitted is a snapshot of it.
            description: Free text.

        Raises:
            Conflict: A project has this name.
            InvalidArgument: Not a name, or not a folder.
        """
        check_name(name, what="project")
        check_text(description, what="create(description=...)")
        place = _absolute(folder, "create")
        request = CreateProject(id=new_id(), name=name, folder=place, description=description)
        made = self._make(self._client.send(request))
        if place is not None:
            self._client.folders[made.id] = place
        return made

    def get(self, key: str) -> Project:
        """Return the project of a name or id.

        Raises:
            NotFound: There is none.
        """
        return self._get(key)

    def get_or_create(
        self, name: str, *, folder: str | os.PathLike[str] | None = None, description: str = ""
    ) -> Project:
        """Return the project of this name, created where it is missing; a `folder` that is given becomes its folder."""
        try:
            project = self._get(name)
        except NotFound:
            return self._create_or_get(name, folder=folder, description=description)
        place = _absolute(folder, "get_or_create")
        if place is not None and place != project.record.folder:
            project.update(folder=place)
        elif place is not None:
            self._client.folders[project.id] = place
        return project

    def _create_or_get(self, name: str, *, folder: str | os.PathLike[str] | None, description: str) -> Project:
        from amlsdk.errors import Conflict

        try:
            return self.create(name, folder=folder, description=description)
        except Conflict:  # somebody else was quicker
            return self._get(name)

    def list(self, *, name: str | None = None) -> list[Project]:
        """Return all projects by name, or those of one name."""
        if name is not None:
            check_text(name, what="list(name=...)")
        return [project for project in self if name in (None, project.name)]

    def delete(self, project: str | Project) -> None:
        """Delete a project; an absent one is no error."""
        project_id = self._id_of(project)
        if project_id is not None:
            self._client.send(DeleteProject(project_id=project_id))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListProjects(name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> ProjectRecord:
        return self._client.send(GetProject(project_id=identifier))

    def _make(self, record: ProjectRecord) -> Project:
        return Project(self._client, record)

    def _row(self, record: ProjectRecord) -> dict[str, Any]:
        return {"name": record.name, "folder": record.folder, "created": record.created_at.astimezone()}


def _absolute(folder: str | os.PathLike[str] | None, call: str) -> str | None:
    if folder is None:
        return None
    path = local_path(folder, what=f"{call}(folder=...)")
    if not path.is_dir():
        raise InvalidArgument(f"folder={os.fspath(folder)!r}: there is no folder {path.absolute()}")
    return str(path.resolve())

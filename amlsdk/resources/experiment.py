"""Experiments: runs that are compared with each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.experiments import (
    CreateExperiment,
    DeleteExperiment,
    GetExperiment,
    ListExperiments,
    UpdateExperiment,
)
from amlsdk.records.ids import is_id, new_id
from amlsdk.records.names import check_name, check_text
from amlsdk.records.pages import Page
from amlsdk.records.projects import ExperimentRecord
from amlsdk.resources.arguments import check_mapping, check_run_name, check_texts, local_path, shown
from amlsdk.resources.client import Client
from amlsdk.resources.resource import Collection, Resource
from amlsdk.resources.runs import RunCollection, Scope

if TYPE_CHECKING:
    from amlsdk.resources.comparing import Comparison
    from amlsdk.resources.inputs import InputSource
    from amlsdk.resources.run import Run

__all__ = ["Experiment", "ExperimentCollection"]


class Experiment(Resource[ExperimentRecord]):
    """An experiment of a project: begin runs here and now, or submit scripts to run somewhere else."""

    what = "experiment"

    def _read(self) -> ExperimentRecord:
        return self._client.send(GetExperiment(experiment_id=self.id))

    @property
    def project_id(self) -> str:
        """Id of its project."""
        return self._record.project_id

    @property
    def description(self) -> str:
        """Free text."""
        return self._record.description

    @property
    def runs(self) -> RunCollection:
        """Its runs."""
        return RunCollection(self._client, Scope(experiment_id=self.id))

    def start_run(
        self, name: str | None = None, tags: Mapping[str, str] | None = None, *, resume: str | None = None
    ) -> Run:
        """Begin a run in this process.

        As a context manager it ends by itself: Completed, or Failed with the exception that left the block;
        otherwise call `complete()` or `fail(error)`. It is the `Run.current()` until then.

        Args:
            name: Not unique; by default the script's name and a number.
            tags: Texts by name.
            resume: Id of an interactive run to go on with, whose process has ended or that was completed.

        Raises:
            Conflict: The run to resume is still written by a living process.
            InvalidArgument: Not a name, not tags, or not the id of a run.
        """
        from amlsdk.resources.interactive import resume_run, start_run

        check_run_name(name, call="start_run")
        texts = check_texts(tags, what="start_run(tags=...)")
        if resume is None:
            return start_run(self._client, self.id, name=name, tags=texts)
        if not isinstance(resume, str) or not is_id(resume):
            raise InvalidArgument(f"start_run(resume=...) is the id of a run, not {shown(resume)}")
        return resume_run(self._client, resume, tags=texts)

    def submit(  # noqa: PLR0913  # what one submission may say
        self,
        script: str,
        *,
        arguments: Sequence[object] = (),
        target: str = "local",
        dependencies: str | os.PathLike[str] | None = None,
        environment_variables: Mapping[str, str] | None = None,
        inputs: Mapping[str, InputSource] | None = None,
        secrets: Mapping[str, str] | Sequence[str] | None = None,
        timeout_s: float | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Run a script of the project's folder on a target; returns at once, `wait()` on the run follows it.

        The folder is snapshotted (`.amlignore` and `.gitignore` leave files out), and the script runs in a copy.
        What it writes below `outputs/` is kept with the run.

        Args:
            script: Path of a Python file, relative to the project's folder.
            arguments: Of the script; `--name value` pairs become params.
            target: Where it executes; `local` is this interpreter on this machine, any other the name of a target
                or of an agent that is attached (`aml agent`).
            dependencies: A requirements file, for targets that build an environment.
            environment_variables: Set for the script.
            inputs: Data by name: a path, a URL, a FileSet, or outputs of another run. Each arrives as a folder or
                file whose path is in the environment variable `AMLSDK_INPUT_<NAME>` and in `run.inputs`.
            secrets: Names of secrets of the workspace by the environment variable that each is given in, or a list of
                names: `db-password` is then given as `DB_PASSWORD`. What the script prints of them is shown as `***`.
            timeout_s: The run fails after so many seconds.
            name: Not unique; by default the script's name and a number.
            tags: Texts by name.
            folder: A folder other than the project's.

        Raises:
            InvalidArgument: The script is missing, or a target, argument or input can't be meant; nothing was sent.
        """
        from amlsdk.resources.submitting import Submission, submit

        check_run_name(name, call="submit")
        return submit(
            self._client,
            self.id,
            Submission(
                script=script,
                arguments=arguments,
                target=target,
                dependencies=dependencies,
                environment_variables=_given(environment_variables, "environment_variables", of="texts by name"),
                inputs=_given(inputs, "inputs", of="data by name"),
                secrets=secrets,
                timeout_s=timeout_s,
                name=name,
                tags=check_texts(tags, what="submit(tags=...)"),
                folder=self._folder(folder),
            ),
        )

    def _folder(self, folder: str | os.PathLike[str] | None) -> str:
        from amlsdk.resources.project import ProjectCollection

        if folder is not None:
            return str(local_path(folder, what="submit(folder=...)"))
        project = ProjectCollection(self._client).get(self.project_id)
        if project.folder is None:
            raise InvalidArgument(
                f"project {project.name!r} has no folder to submit: "
                f"ws.projects.get_or_create({project.name!r}, folder=...) gives it one, or pass folder=..."
            )
        return str(project.folder)

    def compare(self, runs: Iterable[Run | str]) -> Comparison:
        """Compare runs: params, metrics, code and packages side by side; see `runs.compare`."""
        return self.runs.compare(runs)

    def update(self, *, description: str) -> Experiment:
        """Change the description."""
        check_text(description, what="update(description=...)")
        self._record = self._client.send(UpdateExperiment(experiment_id=self.id, description=description))
        return self

    def delete(self) -> None:
        """Delete this experiment with its runs; an absent one is no error.

        Raises:
            Conflict: Runs are active, or models came from them; the message names them.
        """
        self._client.send(DeleteExperiment(experiment_id=self.id))


class ExperimentCollection(Collection[Experiment]):
    """The experiments of a project, or of all projects."""

    what = "experiment"

    def __init__(self, client: Client, *, project_id: str | None) -> None:
        super().__init__(client)
        self._project_id = project_id

    def create(self, name: str, *, description: str = "") -> Experiment:
        """Create an experiment.

        Raises:
            Conflict: The project has one of this name.
            InvalidArgument: Not a name; or asked of the workspace instead of a project.
        """
        check_name(name, what="experiment")
        check_text(description, what="create(description=...)")
        if self._project_id is None:
            raise InvalidArgument(f"create experiment {name!r} in a project: ws.projects[...].experiments.create(...)")
        request = CreateExperiment(id=new_id(), project_id=self._project_id, name=name, description=description)
        return self._make(self._client.send(request))

    def get(self, key: str) -> Experiment:
        """Return the experiment of a name or id.

        Raises:
            NotFound: There is none.
            Conflict: Several projects have one of this name.
        """
        return self._get(key)

    def get_or_create(self, name: str, *, description: str = "") -> Experiment:
        """Return the experiment of this name, created where it is missing."""
        try:
            return self._get(name)
        except NotFound:
            pass
        try:
            return self.create(name, description=description)
        except Conflict:  # somebody else was quicker
            return self._get(name)

    def list(self, *, name: str | None = None) -> list[Experiment]:
        """Return all by name, or those of one name."""
        if name is not None:
            check_text(name, what="list(name=...)")
        return [experiment for experiment in self if name in (None, experiment.name)]

    def delete(self, experiment: str | Experiment) -> None:
        """Delete an experiment; an absent one is no error."""
        experiment_id = self._id_of(experiment)
        if experiment_id is not None:
            self._client.send(DeleteExperiment(experiment_id=experiment_id))

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        return self._client.send(ListExperiments(project_id=self._project_id, name=name, after=after, limit=limit))

    def _read(self, identifier: str) -> ExperimentRecord:
        return self._client.send(GetExperiment(experiment_id=identifier))

    def _make(self, record: ExperimentRecord) -> Experiment:
        return Experiment(self._client, record)

    def _row(self, record: ExperimentRecord) -> dict[str, Any]:
        # Those of different projects may have one name.
        project = {"project_id": record.project_id} if self._project_id is None else {}
        return {"name": record.name, **project, "created": record.created_at.astimezone()}


def _given(value: Mapping[str, Any] | None, name: str, *, of: str) -> dict[str, Any]:
    return {} if value is None else dict(check_mapping(value, what=f"submit({name}=...)", of=of))

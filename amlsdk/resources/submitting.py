"""From a script in a project's folder to a queued run."""

from __future__ import annotations

import contextlib
import logging
import math
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk import plugins
from amlsdk.errors import AmlError, InvalidArgument
from amlsdk.filesets.snapshot import Snapshot, snapshot
from amlsdk.handing.runs import is_adapter
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.runs import CreateRun
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import JobSpec
from amlsdk.records.logged import InputRecord
from amlsdk.records.names import check_name, check_text, listed
from amlsdk.records.runs import RunRecord
from amlsdk.resources.agents import AgentCollection
from amlsdk.resources.arguments import check_items, local_path, named
from amlsdk.resources.capture.command import params_of
from amlsdk.resources.capture.context import ContextCapture
from amlsdk.resources.inputs import InputSource, check_inputs, kept_inputs, single_file, store_input
from amlsdk.resources.launching import Launch
from amlsdk.resources.passing import PassingLine
from amlsdk.resources.run import Run
from amlsdk.resources.run_reading import RESUBMITTED_FROM
from amlsdk.resources.secrets import VARIABLE, given_secrets

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Submission", "resubmit", "submit"]

_LOGGER = logging.getLogger("amlsdk")
_LARGE_BYTES = 300 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Submission:
    """What `Experiment.submit` was given."""

    script: str
    arguments: Sequence[object]
    target: str
    dependencies: str | os.PathLike[str] | None
    environment_variables: Mapping[str, str]
    inputs: Mapping[str, InputSource]
    secrets: Mapping[str, str] | Sequence[str] | None
    timeout_s: float | None
    name: str | None
    tags: Mapping[str, str]
    folder: str


def submit(client: Client, experiment_id: str, submission: Submission) -> Run:
    """Check, snapshot, record and hand over a submission; everything that can be wrong is found before it is sent."""
    folder = Path(submission.folder)
    variables = _variables(submission.environment_variables)
    job = JobSpec(
        script=_script(folder, submission.script),
        snapshot="",
        arguments=_arguments(submission.arguments),
        target=check_text(submission.target, what="submit(target=...)"),
        environment_variables=variables,
        timeout_s=_timeout(submission.timeout_s),
    )
    _check_target(client, job)
    _check_dependencies(job, submission)
    check_inputs(submission.inputs)
    secrets = given_secrets(client, submission.secrets, what="submit(secrets=...)", variables=variables)
    job = attrs.evolve(job, secrets=secrets, host=_host(client, job.target))
    with _launch(job.target) as starting:
        inputs = {name: store_input(client, name, source) for name, source in submission.inputs.items()}
        digest = _store_folder(client, folder, job.script)
        files = {name: single_file(client, record) for name, record in inputs.items()}
        job = attrs.evolve(
            job,
            snapshot=digest,
            inputs={name: record.digest for name, record in inputs.items()},
            input_files={name: path for name, path in files.items() if path is not None},
        )
        run = _create(client, experiment_id, job, name=submission.name, tags=submission.tags)
        if starting is not None:
            starting.hand_over(client, job.target)
    _note_surroundings(run, list(inputs.values()), folder, {})
    return run


def resubmit(
    client: Client,
    record: RunRecord,
    *,
    arguments: Sequence[object] | None,
    target: str | None,
    name: str | None,
    tags: Mapping[str, str] | None,
) -> Run:
    """Submit what a run executed again."""
    if record.job is None:
        raise InvalidArgument(f"run {record.name!r} was not submitted, so it can't be submitted again")
    where = record.job.target if target is None else check_text(target, what="resubmit(target=...)")
    job = attrs.evolve(
        record.job,
        arguments=record.job.arguments if arguments is None else _arguments(arguments),
        target=where,
        host=_host(client, where),
    )
    _check_target(client, job)
    given_secrets(client, job.secrets, what="resubmit")
    every_tag = {RESUBMITTED_FROM: record.id, **(tags or {})}
    with _launch(job.target) as starting:
        run = _create(client, record.experiment_id, job, name=name, tags=every_tag)
        if starting is not None:
            starting.hand_over(client, job.target)
    # The code is that of the first run, and so is where it came from; the packages are those of today.
    kept = Run(client, record).context
    _note_surroundings(run, kept_inputs(client, record.id), None, {"git": kept["git"]} if "git" in kept else {})
    return run


def _create(client: Client, experiment_id: str, job: JobSpec, *, name: str | None, tags: Mapping[str, str]) -> Run:
    if name is not None:
        check_name(name, what="run")
    request = CreateRun(
        id=new_id(),
        experiment_id=experiment_id,
        name=name,
        tags=dict(tags),
        params=params_of(job.arguments),
        job=job,
    )
    return Run(client, client.send(request))


def _store_folder(client: Client, folder: Path, script: str) -> str:
    spool = client.spool
    exclude = [] if spool.blobs is None else [spool.blobs.parent]
    with PassingLine(None, wanted=client.config.progress) as line:

        def show(done: int, whole: int) -> None:
            line.show(f"snapshot of {folder}: {done / 1e6:.0f} of {whole / 1e6:.0f} MB")

        taken = snapshot(folder, client.blobs, exclude=exclude, needed=script, cache=spool.cache, progress=show)
    _warn_of_size(folder, taken)
    return client.send(CreateFileSet(entries=taken.record.entries)).digest


def _warn_of_size(folder: Path, taken: Snapshot) -> None:
    if taken.record.size_bytes > _LARGE_BYTES:
        biggest = ", ".join(f"{path} ({size / 1e6:.0f} MB)" for path, size in taken.biggest)
        _LOGGER.warning(
            "the snapshot of %s has %.0f MB; the biggest files are %s. A line in .amlignore leaves files out, and "
            "data is better given as inputs={...}",
            folder,
            taken.record.size_bytes / 1e6,
            biggest,
        )


def _note_surroundings(run: Run, inputs: Sequence[InputRecord], folder: Path | None, known: Mapping[str, Any]) -> None:
    log = run._client.log_of(run.id)  # noqa: SLF001  # the log belongs to the run
    capture = ContextCapture(folder) if run._client.config.capture_context else None  # noqa: SLF001

    def note() -> None:
        for record in inputs:
            log.writer.input(record)
        if capture is not None:
            # The submitter's own command says nothing of the run.
            gathered = {topic: value for topic, value in capture.gather().items() if topic != "command"}
            _keep_uncommitted(folder, gathered.get("git"), run)
            log.writer.context({**gathered, **known})
        log.retire()

    log.do(note)


def _keep_uncommitted(folder: Path | None, git: Any, run: Run) -> None:
    """Note the commit that has all that was submitted, made in a history beside the user's branches."""
    if folder is None or not isinstance(git, dict) or git.get("commit") is None:
        return
    from amlsdk.resources.history import keep_history

    try:
        git["history"] = keep_history(folder, message=f"run {run.id}")
    except AmlError as error:
        # The run has its snapshot in any case.
        git["history"], git["error"] = None, str(error)


def _script(folder: Path, script: str | os.PathLike[str]) -> str:
    if not folder.is_dir():
        raise InvalidArgument(f"there is no folder {folder} to submit")
    root = folder.resolve()
    path = local_path(folder / named(script, what="submit(script=...)"), what="submit(script=...)")
    full = Path(os.path.realpath(path))  # other than `resolve`, it says nothing of links that lead in a circle
    if not full.is_relative_to(root):
        raise InvalidArgument(f"the script {os.fspath(script)!r} is not in the project's folder {root}")
    if not full.is_file():
        raise InvalidArgument(f"there is no script {os.fspath(script)!r} in {root}{_near(root)}")
    return str(PurePosixPath(full.relative_to(root)))


def _near(root: Path) -> str:
    found = sorted(path.name for path in root.glob("*.py"))[:5]
    return f"; it has {', '.join(found)}" if found else "; it has no Python file"


def _arguments(arguments: Sequence[object]) -> tuple[str, ...]:
    given = check_items(arguments, what="arguments", of="texts, numbers and paths like ['--depth', 4]")
    return tuple(_argument(argument) for argument in given)


def _argument(argument: object) -> str:
    text = os.fspath(argument) if isinstance(argument, os.PathLike) else argument
    # The scalars of NumPy are such numbers too.
    if isinstance(text, (str, numbers.Real)):
        return check_text(str(text), what="an argument")
    raise InvalidArgument(f"an argument is a text, number or path, not {type(argument).__name__} {argument!r:.60}")


def _variables(variables: Mapping[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            raise InvalidArgument(f"{name!r} can't name an environment variable")
        if name.startswith("AMLSDK_"):
            raise InvalidArgument(f"environment variables named AMLSDK_... are set by the run itself, not {name!r}")
        check_text(value, what=f"environment variable {name}")
    return dict(variables)


def _timeout(timeout_s: Any) -> float | None:
    if timeout_s is None:
        return None
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not 0 < timeout_s < math.inf:
        raise InvalidArgument(f"timeout_s is a positive number of seconds, or None, not {timeout_s!r}")
    return float(timeout_s)


def _check_dependencies(job: JobSpec, submission: Submission) -> None:
    if submission.dependencies is None:
        return
    path = named(submission.dependencies, what="submit(dependencies=...)")
    if job.target == "local":
        raise InvalidArgument(f"dependencies={path!r}: the target 'local' runs this interpreter as it is")


def _check_target(client: Client, job: JobSpec) -> None:
    if is_adapter(job.target):
        plugins.load("amlsdk.targets", job.target)().check(job)
        return
    agents = [agent.name for agent in AgentCollection(client) if agent.alive]
    if job.target not in agents:
        known = listed(map(repr, [*plugins.names("amlsdk.targets"), *agents]))
        raise InvalidArgument(
            f"there is no target {job.target!r}, and no agent of this name is attached; there are {known}"
        )


def _host(client: Client, target: str) -> str | None:
    """Return the only machine that may execute a job: one that is submitted here for `local` must not end elsewhere."""
    return this_process().host if target == "local" and client.spool.shipped else None


def _launch(target: str) -> Launch | contextlib.nullcontext[None]:
    """Begin a supervisor, where the target is not an agent, which has its own."""
    return Launch() if is_adapter(target) else contextlib.nullcontext()

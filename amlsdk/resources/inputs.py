"""Data that runs read: from paths, URLs, FileSets and other runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

import attrs

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, NotFound, Unavailable
from amlsdk.filesets.hashing import hash_file
from amlsdk.filesets.parallel import in_parallel
from amlsdk.filesets.snapshot import snapshot
from amlsdk.operations.filesets import CreateFileSet, GetFileSet
from amlsdk.operations.runs import ListRunInputs
from amlsdk.records.filesets import FileSetRecord, StoredFile
from amlsdk.records.jobs import input_variable
from amlsdk.records.logged import InputRecord
from amlsdk.records.names import check_key
from amlsdk.records.streams import ByteStream
from amlsdk.resources.arguments import local_path, named
from amlsdk.resources.paging import all_items
from amlsdk.resources.run_files import RunFiles

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.snapshot import RunSnapshot

__all__ = [
    "InputSource",
    "RunInput",
    "check_inputs",
    "describe_input",
    "inputs_of",
    "kept_inputs",
    "single_file",
    "store_input",
]

InputSource = Union[str, "os.PathLike[str]", FileSetRecord, RunFiles, "RunSnapshot"]


@attrs.frozen
class RunInput:
    """Data that a run read.

    Args:
        record: What is kept of it.
        path: Where it is, inside the run that it was given to; None elsewhere.
    """

    record: InputRecord
    path: Path | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of its content; of the FileSet where it is one."""
        return self.record.digest

    @property
    def source(self) -> str:
        """Where it came from: a path, a URL, or `run:<id>/<path>`."""
        return self.record.source

    @property
    def schema(self) -> Any:
        """Columns and types, where it is tabular."""
        return self.record.schema

    @property
    def profile(self) -> Any:
        """Counts, types, ranges, quantiles, categories and missing values, where it is tabular."""
        return self.record.profile


def inputs_of(client: Client, run_id: str) -> dict[str, RunInput]:
    """The inputs of a run; with their paths where this process is its script."""
    from amlsdk.resources.current import submitted_run_id

    client.deliver(run_id)
    here = submitted_run_id() == run_id
    found = {}
    for record in all_items(client, ListRunInputs(run_id=run_id)):
        path = os.environ.get(input_variable(record.name)) if here else None
        found[record.name] = RunInput(record, None if path is None else Path(path))
    return found


def kept_inputs(client: Client, run_id: str) -> list[InputRecord]:
    """The records of a run's inputs."""
    return list(all_items(client, ListRunInputs(run_id=run_id)))


def check_inputs(names: Iterable[str]) -> None:
    """See that inputs have names, each with an environment variable of its own.

    Raises:
        InvalidArgument: A bad name, or two that differ in nothing that a variable can tell apart; both are named.
    """
    taken: dict[str, str] = {}
    for name in names:
        variable = input_variable(check_key(name, what="input"))
        other = taken.setdefault(variable, name)
        if other != name:
            raise InvalidArgument(
                f"inputs={{{other!r}: ..., {name!r}: ...}}: both would be in the environment variable {variable}; "
                "give one another name"
            )


def store_input(client: Client, name: str, source: InputSource) -> InputRecord:
    """Store what a submitted run is given to read.

    Raises:
        InvalidArgument: Not a path, URL, FileSet or outputs of a run.
        NotFound: There is no such path.
        Unavailable: The URL can't be read.
    """
    if isinstance(source, FileSetRecord):
        return _of_record(client, name, source, source=f"fileset:{source.digest}")
    if isinstance(source, RunFiles):
        return _of_record(client, name, source.fileset(), source=f"run:{source._run_id}/{source._prefix}")  # noqa: SLF001
    digest = getattr(source, "digest", None)
    if isinstance(digest, str):
        record = client.send(GetFileSet(digest=digest))
        return _of_record(client, name, record, source=f"fileset:{digest}")
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidArgument(
            f"inputs={{{name!r}: ...}} is a path, a URL, a FileSet or run.outputs, not {type(source).__name__}"
        )
    text = named(source, what=f"inputs={{{name!r}: ...}}")
    if text.startswith("run:"):
        return _of_run(client, name, text)
    return _of_url(client, name, text) if "://" in text else _of_path(client, name, text, source=None)


def _of_record(client: Client, name: str, record: FileSetRecord, *, source: str, kind: str = "folder") -> InputRecord:
    kept = client.send(CreateFileSet(entries=record.entries))
    return InputRecord(name=name, digest=kept.digest, kind=kind, source=source, size_bytes=kept.size_bytes)


def _of_run(client: Client, name: str, text: str) -> InputRecord:
    run_id, _, path = text.removeprefix("run:").partition("/")
    files = RunFiles(client, run_id, prefix="")
    kind = "file" if path in files else "folder"
    return _of_record(client, name, files.fileset(path), source=text, kind=kind)


def _of_path(client: Client, name: str, place: str | Path, *, source: str | None) -> InputRecord:
    path = local_path(place, what=f"inputs={{{name!r}: ...}}")
    if not path.exists():
        raise NotFound(f"inputs={{{name!r}: ...}}: there is no {path.absolute()}")
    taken = snapshot(path, client.blobs, everything=True, cache=client.spool.cache)
    kind = "folder" if path.is_dir() else "file"
    record = _of_record(client, name, taken.record, source=source or str(path.resolve()), kind=kind)
    schema, profile = _profile(path) if kind == "file" else (None, None)
    return attrs.evolve(record, schema=schema, profile=profile)


def single_file(client: Client, record: InputRecord) -> str | None:
    """Return the path in its FileSet of an input that is a single file; None where it is a folder."""
    return client.send(GetFileSet(digest=record.digest)).entries[0].path if record.kind == "file" else None


def _profile(path: Path) -> tuple[Any, Any]:
    from amlsdk.resources.values.profile import profile_frame

    return profile_frame(path)


def _of_url(client: Client, name: str, url: str) -> InputRecord:
    parts = _parts(name, url)
    if parts.scheme == "file":
        return _of_path(client, name, url2pathname(parts.path), source=None)
    shown = parts._replace(netloc=parts.hostname or "", query="").geturl()  # credentials stay out of the record
    client.spool.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=client.spool.cache, prefix="input-") as folder:
        target = Path(folder) / _file_name(parts.path)
        _download(url, target, shown)
        return _of_path(client, name, target, source=shown)


def _parts(name: str, url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InvalidArgument(f"inputs={{{name!r}: ...}} is no URL: {error}") from error


def _file_name(path: str) -> str:
    name = unquote(PurePosixPath(path).name)
    return name if name not in {"", ".", ".."} and "/" not in name and "\0" not in name else "data"


def _download(url: str, target: Path, shown: str) -> None:
    if not url.startswith(("http://", "https://")):
        _download_by_driver(url, target, shown)
        return
    import requests

    try:
        with requests.get(url, stream=True, timeout=60) as reply, target.open("wb") as file:
            reply.raise_for_status()
            for chunk in reply.iter_content(1 << 20):
                file.write(chunk)
    except requests.RequestException as error:
        raise Unavailable(f"{shown} can't be read: {type(error).__name__}") from error


def _download_by_driver(url: str, target: Path, shown: str) -> None:
    fsspec = plugins.require("fsspec", extra="fsspec")
    try:
        fsspec.open(url).fs.get(url, str(target))
    except Exception as error:  # drivers of foreign stores raise what they like
        raise Unavailable(f"{shown} can't be read: {type(error).__name__}: {error}") from error


def describe_input(name: str, data: Any) -> InputRecord:
    """Describe data that this process reads, without storing it."""
    if isinstance(data, (str, os.PathLike)):
        return _describe_path(name, local_path(data, what="data"))
    from amlsdk.resources.manifesting.logged_samples import first_rows
    from amlsdk.resources.values.frame_digest import digest_frame
    from amlsdk.resources.values.profile import profile_frame

    schema, profile = profile_frame(data)
    size = int(getattr(data, "nbytes", 0) or 0)
    return InputRecord(
        name=name,
        digest=digest_frame(data),
        kind="frame",
        source=type(data).__qualname__,
        size_bytes=size,
        schema=schema,
        profile={**profile, **first_rows(data)} if profile is not None else None,
    )


def _describe_path(name: str, path: Path) -> InputRecord:
    if path.is_dir():
        record = snapshot(path, _Nowhere(), everything=True).record
        return InputRecord(
            name=name, digest=record.digest, kind="folder", source=str(path.resolve()), size_bytes=record.size_bytes
        )
    hashed = hash_file(path) if path.is_file() else None
    if hashed is None:
        raise NotFound(f"log_input({name!r}): there is no {path.absolute()}")
    schema, profile = _profile(path)
    return InputRecord(
        name=name,
        digest=hashed[0],
        kind="file",
        source=str(path.resolve()),
        size_bytes=hashed[1],
        schema=schema,
        profile=profile,
    )


class _Nowhere:
    """A store that has everything already, for trees of which only the digest is wanted."""

    def missing(self, digests: Iterable[str]) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def put(self, digest: str, content: ByteStream) -> int:  # noqa: ARG002
        return content.size_bytes or 0

    def put_files(self, paths: Sequence[Path]) -> dict[Path, StoredFile]:
        hashed = zip(paths, in_parallel(hash_file, paths), strict=True)
        return {path: StoredFile(*found, is_new=False) for path, found in hashed if found is not None}

    def open(self, digest: str, *, start: int = 0) -> ByteStream:  # noqa: ARG002
        raise NotFound(f"blob {digest} was described, not stored")

    def copy_to(self, digest: str, path: str | Path) -> None:  # noqa: ARG002
        raise NotFound(f"blob {digest} was described, not stored")

"""What a run can be told: metrics, params, tags, tables, images, inputs, files."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.paths import check_path
from amlsdk.records.logged import RunFileRecord
from amlsdk.records.names import check_key, check_text
from amlsdk.records.streams import ByteStream
from amlsdk.resources.arguments import check_mapping, local_path, shown, telling
from amlsdk.resources.run_files import OUTPUTS, output_path

if TYPE_CHECKING:
    from amlsdk.journal.writer import JournalWriter
    from amlsdk.resources.client import Client
    from amlsdk.resources.run_log import RunLog

__all__ = ["RunLogging"]


class RunLogging:
    """Every call returns when its line is in the journal: no database or network is waited for.

    A value that can't be meant raises `InvalidArgument` on the spot and the run goes on; a disk that refuses
    is warned of once and never raised, except by `flush()` and at the end.
    """

    _client: Client
    _log: RunLog | None = None

    @property
    def id(self) -> str:  # noqa: D102  # documented where it is defined
        raise NotImplementedError

    @property
    def _writer(self) -> JournalWriter:
        log = self._log
        if log is None:
            log = self._log = self._client.log_of(self.id)
        return log.writer

    @property
    def _has_logged(self) -> bool:
        return self._log is not None

    def log(self, name: str, value: float, step: int | None = None) -> None:
        """Log a point of a metric.

        Args:
            name: 1 to 250 printable characters.
            value: A number; NaN and infinities are kept as such. A NumPy scalar or a tensor of one element will do.
            step: A whole number of 64 bits; by default one more than the last of this name in this process.

        Raises:
            InvalidArgument: Not a number, a name or a step.
        """
        self._writer.metric(name, value, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a point of several metrics at once, all with one step and time.

        Raises:
            InvalidArgument: Not a mapping, or a name, number or step is something else; nothing is logged.
        """
        # Asked here first, as an abstract class is slow to ask for a dict, which nearly all are.
        if type(metrics) is not dict:
            check_mapping(metrics, what="log_metrics(metrics=...)", of="numbers by name")
        self._writer.metrics(metrics, step)

    def log_param(self, name: str, value: object) -> None:
        """Log a parameter: a text, number or anything with a short `str()`; a later value replaces it."""
        self._writer.param(check_key(name, what="param"), _text(value, f"param {name!r}"))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log several parameters, all or none of them.

        Raises:
            InvalidArgument: Not a mapping, or a name or value can't be kept; nothing is logged.
        """
        given = check_mapping(params, what="log_params(params=...)", of="values by name")
        checked = {check_key(name, what="param"): _text(value, f"param {name!r}") for name, value in given.items()}
        for name, value in checked.items():
            self._writer.param(name, value)

    def set_tag(self, name: str, value: object) -> None:
        """Set a tag; None removes it."""
        self._writer.tag(check_key(name, what="tag"), _tag(name, value))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set several tags, all or none of them; a tag of None is removed.

        Raises:
            InvalidArgument: Not a mapping, or a name or value can't be kept; nothing is set.
        """
        given = check_mapping(tags, what="set_tags(tags=...)", of="values by name")
        checked = {check_key(name, what="tag"): _tag(name, value) for name, value in given.items()}
        for name, text in checked.items():
            self._writer.tag(name, text)

    def log_list(self, name: str, values: Iterable[Any]) -> None:
        """Log a list of numbers, texts or other JSON, at most a million items; a later one of the name replaces it.

        Args:
            name: Of the list.
            values: A list, an array or Series, or what gives the items one by one.

        Raises:
            InvalidArgument: A bad name, no list, or an item that JSON can't carry.
        """
        from amlsdk.resources.values.cells import json_of

        check_key(name, what="list")
        content = json.dumps({"values": json_of(_items(name, values), f"list {name!r}")}).encode()
        self._keep(f"tables/{name}.json", "list", content)

    def log_row(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a row to a table of the run.

        Args:
            name: Of the table.
            row: Numbers, texts or other JSON by column.

        Raises:
            InvalidArgument: A bad name, no mapping, or a value that JSON can't carry.
        """
        from amlsdk.resources.values.cells import json_of

        check_key(name, what="table")
        columns = check_mapping(row, what=f"log_row({name!r}, row=...)", of="values by column")
        self._writer.row(name, json_of(columns, f"row of {name!r}"))

    def log_table(self, name: str, table: Any) -> None:
        """Log a whole table: rows (mappings), columns (a mapping of sequences), a frame or an array of shape (n, d).

        Raises:
            InvalidArgument: A bad name, no table, or a cell that JSON can't carry.
        """
        from amlsdk.resources.values.tables import table_json

        check_key(name, what="table")
        with telling(f"log_table({name!r})"):
            content = table_json(table)
        self._keep(f"tables/{name}.json", "table", content)

    def log_image(self, name: str, image: Any) -> None:
        """Log an image: a matplotlib figure, a PIL image, an array of shape (h, w[, 3 or 4]), PNG bytes or a path.

        Raises:
            InvalidArgument: A bad name, or no image.
            NotFound: There is no such file.
        """
        from amlsdk.resources.values.images import image_bytes

        check_key(name, what="image")
        with telling(f"log_image({name!r})"):
            content, suffix = image_bytes(image)
        self._keep(f"images/{name}{suffix}", "image", content)

    def log_confusion_matrix(self, name: str, matrix: Any, labels: Sequence[Any] | None = None) -> None:
        """Log a confusion matrix.

        Args:
            name: Its name.
            matrix: Counts of shape (k, k), a row a true class; or a mapping with `class_labels` and `matrix`.
            labels: The k classes.

        Raises:
            InvalidArgument: A bad name, not square, not counts, or labels that don't fit.
        """
        from amlsdk.resources.values.confusion import confusion_matrix_json

        check_key(name, what="confusion matrix")
        with telling(f"log_confusion_matrix({name!r})"):
            content = confusion_matrix_json(matrix if labels is None else (labels, matrix))
        self._keep(f"tables/{name}.json", "confusion_matrix", content)

    def log_input(self, name: str, data: Any) -> None:
        """Record data that this run reads: its digest, schema and profile are kept, not the data itself.

        Args:
            name: Unique in the run.
            data: A path of a file or folder, or a frame.

        Raises:
            InvalidArgument: A bad name, or neither a path nor tabular data.
            NotFound: There is no such file or folder.
        """
        from amlsdk.resources.inputs import describe_input

        check_key(name, what="input")
        with telling(f"log_input({name!r})"):
            record = describe_input(name, data)
        self._writer.input(record)

    def upload_file(self, name: str, path: str | os.PathLike[str]) -> None:
        """Keep a file of this machine among the run's outputs.

        Args:
            name: Its path there; `outputs/` is put before it where it does not begin so.
            path: The file.

        Raises:
            InvalidArgument: A name that is no path of a file there, or no file here.
        """
        target = output_path(name, "upload_file")
        if target == OUTPUTS:
            raise InvalidArgument(f"upload_file({name!r}): this is the folder of all outputs; name a file in it")
        source = local_path(path, what=f"upload_file({name!r}, path=...)")
        if not source.is_file():
            raise InvalidArgument(f"upload_file({name!r}): there is no file {source}")
        self._keep_file(target, source)

    def upload_folder(self, name: str, path: str | os.PathLike[str]) -> None:
        """Keep the files of a folder of this machine among the run's outputs, below a name.

        Args:
            name: Folder there; `outputs/` is put before it where it does not begin so. `outputs` is all of them.
            path: The folder.

        Raises:
            InvalidArgument: A name that is no path of a folder there, or no folder here.
        """
        from amlsdk.filesets.snapshot import snapshot

        target = output_path(name, "upload_folder")
        source = local_path(path, what=f"upload_folder({name!r}, path=...)")
        if not source.is_dir():
            raise InvalidArgument(f"upload_folder({name!r}): there is no folder {source}")
        for entry in snapshot(source, self._client.blobs, everything=True).record.entries:
            kept = RunFileRecord(
                path=f"{target}/{entry.path}",
                kind="output",
                digest=entry.digest,
                size_bytes=entry.size_bytes,
                mode=entry.mode,
            )
            self._writer.file(kept)

    def flush(self) -> None:
        """Return when all that this process logged to the run is on disk, and with the service where there is one.

        Raises:
            Unavailable: It can't be written or sent.
        """
        # Another object of the same run may have logged, so the log is asked for at the connection.
        log = self._log or self._client.log_of(self.id)
        log.flush()

    def _keep_file(self, path: str, source: Path) -> None:
        digest, size = self._client.blobs.put_file(source)
        mode = "executable" if os.access(source, os.X_OK) else "file"
        self._writer.file(RunFileRecord(path=path, kind="output", digest=digest, size_bytes=size, mode=mode))

    def _keep_script(self, path: str, content: bytes, *, writer: JournalWriter, once: bool) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self._client.keep_script(digest, content, once=once)
        writer.file(RunFileRecord(path=check_path(path), kind="source", digest=digest, size_bytes=len(content)))

    def _keep(self, path: str, kind: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        check_path(path)
        self._client.blobs.put(digest, ByteStream.of(content))
        self._writer.file(RunFileRecord(path=path, kind=kind, digest=digest, size_bytes=len(content)))


def _items(name: str, values: Any) -> Any:
    """What `log_list` was given, so that it has a length."""
    dimensions = getattr(values, "ndim", 1)
    if isinstance(values, (list, tuple)) or (callable(getattr(values, "tolist", None)) and dimensions in range(1, 65)):
        return values
    # Iterating over a set has no order, and over a frame gives the names of its columns.
    is_other = isinstance(values, (str, bytes, bytearray, memoryview, Mapping, set, frozenset, type))
    if is_other or not isinstance(values, Iterable) or hasattr(values, "columns") or dimensions == 0:
        raise InvalidArgument(f"log_list({name!r}, values=...) is a list, array or Series, not {shown(values)}")
    from amlsdk.resources.values.cells import MOST_ITEMS

    return list(itertools.islice(values, MOST_ITEMS + 1))


def _tag(name: str, value: object) -> str | None:
    return None if value is None else _text(value, f"tag {name!r}")


def _text(value: object, what: str) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:  # whatever a foreign type raises, the run goes on
        raise InvalidArgument(f"{what}: {type(value).__name__} has no text: {type(error).__name__}") from error
    return check_text(text, what=what)

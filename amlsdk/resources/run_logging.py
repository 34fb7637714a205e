"""What a run can be told: metrics, params, tags, tables, images, inputs, files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.paths import check_path
from amlsdk.records.logged import RunFileRecord
from amlsdk.records.names import check_key, check_text
from amlsdk.records.streams import ByteStream

if TYPE_CHECKING:
    from amlsdk.journal.writer import JournalWriter
    from amlsdk.resources.client import Client
    from amlsdk.resources.run_log import RunLog

__all__ = ["RunLogging", "output_path"]


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
        """Log a point of several metrics at once, all with one step and time."""
        self._writer.metrics(metrics, step)

    def log_param(self, name: str, value: object) -> None:
        """Log a parameter: a text, number or anything with a short `str()`; a later value replaces it."""
        self._writer.param(check_key(name, what="param"), _text(value, f"param {name!r}"))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log several parameters."""
        checked = {check_key(name, what="param"): _text(value, f"param {name!r}") for name, value in params.items()}
        for name, value in checked.items():
            self._writer.param(name, value)

    def set_tag(self, name: str, value: object) -> None:
        """Set a tag; None removes it."""
        self._writer.tag(check_key(name, what="tag"), None if value is None else _text(value, f"tag {name!r}"))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set several tags."""
        for name, value in tags.items():
            self.set_tag(name, value)

    def log_list(self, name: str, values: Sequence[Any]) -> None:
        """Log a list of numbers, texts or other JSON, at most a million items; a later one of the name replaces it."""
        from amlsdk.resources.values.cells import json_of

        if isinstance(values, (str, bytes, Mapping)):
            raise InvalidArgument(f"log_list({name!r}): a list is expected, not {type(values).__name__}")
        content = json.dumps({"values": json_of(values, f"list {name!r}")}).encode()
        self._keep(f"tables/{check_key(name, what='list')}.json", "list", content)

    def log_row(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a row to a table of the run.

        Args:
            name: Of the table.
            row: Numbers, texts or other JSON by column.
        """
        from amlsdk.resources.values.cells import json_of

        if not isinstance(row, Mapping):
            raise InvalidArgument(f"log_row({name!r}): a mapping of columns is expected, not {type(row).__name__}")
        self._writer.row(check_key(name, what="table"), json_of(row, f"row of {name!r}"))

    def log_table(self, name: str, table: Any) -> None:
        """Log a whole table: rows (mappings), columns (a mapping of sequences), a frame or an array of shape (n, d)."""
        from amlsdk.resources.values.tables import table_json

        self._keep(f"tables/{check_key(name, what='table')}.json", "table", table_json(table))

    def log_image(self, name: str, image: Any) -> None:
        """Log an image: a matplotlib figure, a PIL image, an array of shape (h, w[, 3 or 4]), PNG bytes or a path."""
        from amlsdk.resources.values.images import image_bytes

        content, suffix = image_bytes(image)
        self._keep(f"images/{check_key(name, what='image')}{suffix}", "image", content)

    def log_confusion_matrix(self, name: str, matrix: Any, labels: Sequence[Any] | None = None) -> None:
        """Log a confusion matrix.

        Args:
            name: Its name.
            matrix: Counts of shape (k, k), a row a true class; or a mapping with `class_labels` and `matrix`.
            labels: The k classes.
        """
        from amlsdk.resources.values.confusion import confusion_matrix_json

        value = matrix if labels is None else (labels, matrix)
        content = confusion_matrix_json(value)
        self._keep(f"tables/{check_key(name, what='confusion matrix')}.json", "confusion_matrix", content)

    def log_input(self, name: str, data: Any) -> None:
        """Record data that this run reads: its digest, schema and profile are kept, not the data itself.

        Args:
            name: Unique in the run.
            data: A path of a file or folder, or a frame.
        """
        from amlsdk.resources.inputs import describe_input

        self._writer.input(describe_input(check_key(name, what="input"), data))

    def upload_file(self, name: str, path: str | os.PathLike[str]) -> None:
        """Keep a file of this machine among the run's outputs.

        Args:
            name: Its path there; `outputs/` is put before it where it does not begin so.
            path: The file.
        """
        source = Path(path)
        if not source.is_file():
            raise InvalidArgument(f"upload_file({name!r}): there is no file {source}")
        self._keep_file(output_path(name), source)

    def upload_folder(self, name: str, path: str | os.PathLike[str]) -> None:
        """Keep the files of a folder of this machine among the run's outputs, below a name.

        Args:
            name: Folder there; `outputs/` is put before it where it does not begin so.
            path: The folder.
        """
        from amlsdk.filesets.snapshot import snapshot

        source = Path(path)
        if not source.is_dir():
            raise InvalidArgument(f"upload_folder({name!r}): there is no folder {source}")
        target = output_path(name)
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
        if self._log is not None:
            self._log.flush()

    def _keep_file(self, path: str, source: Path) -> None:
        digest, size = self._client.blobs.put_file(source)
        mode = "executable" if os.access(source, os.X_OK) else "file"
        self._writer.file(RunFileRecord(path=path, kind="output", digest=digest, size_bytes=size, mode=mode))

    def _keep(self, path: str, kind: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        check_path(path)
        self._client.blobs.put(digest, ByteStream.of(content))
        self._writer.file(RunFileRecord(path=path, kind=kind, digest=digest, size_bytes=len(content)))


def output_path(name: str) -> str:
    """Return the path of an output, which always begins with `outputs/`.

    Raises:
        InvalidArgument: It is absolute, empty or has `..`.
    """
    path = os.fspath(name).replace(os.sep, "/").strip("/") if not str(name).startswith("/") else str(name)
    if path != "outputs" and not path.startswith("outputs/"):
        check_path(path)
        path = f"outputs/{path}"
    check_path(path)
    return path


def _text(value: object, what: str) -> str:
    text = value if isinstance(value, str) else str(value)
    return check_text(text, what=what)

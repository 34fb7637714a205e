"""What a run writes: one line a fact, on the disk before the call returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.journal.appender import Appender
from amlsdk.journal.scalars import as_number, as_step, as_time, steps_from
from amlsdk.journal.syncer import on_fork
from amlsdk.journal.text import INT64, VERSION, lenient, number_text, plain, quoted, sealed
from amlsdk.records.ids import is_id
from amlsdk.records.logged import InputRecord, RunFileRecord
from amlsdk.records.names import MAX_TEXT, check_key, check_text

__all__ = ["JournalWriter"]

_FIRST, _LAST = INT64[0], INT64[-1]


@attrs.define(eq=False)
class _Metric:
    """What all lines of a metric begin with, and its next step where none is given."""

    prefix: str
    next_step: Callable[[], int]


class JournalWriter:
    """Appends what a run logs to a journal of this process.

    All methods may be called from any thread. A forked child that goes on with it gets a journal of its own. Where
    the disk refuses, lines wait in memory: only `flush` and `close` say so.

    Args:
        folder: Where journals are; made with the first line.
        run_id: The run.

    Raises:
        InvalidArgument: The run id has not the form of an id.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        if not is_id(run_id):
            raise InvalidArgument(f"{run_id!r:.80} is not the id of a run")
        self._metrics: dict[str, _Metric] = {}
        self._file = Appender(Path(folder), run_id)
        self._append = self._file.append
        on_fork(self)

    @property
    def path(self) -> Path:
        """The file; it is there after the first line."""
        return self._file.path

    @property
    def writer(self) -> str:
        """The writer id, 16 hexadecimal digits: another one in each process."""
        return self._file.writer

    @property
    def closed(self) -> bool:
        """Whether `close` was done."""
        return self._file.closed

    def metric(self, name: str, value: Any, step: int | None = None, time_us: int | None = None) -> None:
        """Log a point of a metric.

        Args:
            name: 1 to 250 printable characters.
            value: A number, or a scalar, array or tensor that holds one; NaN and infinities are kept.
            step: A whole number of 64 bits; by default one more than the last of this metric here, from 0.
            time_us: Microseconds since 1970 UTC; by default now.

        Raises:
            InvalidArgument: One of these is something else; nothing is logged.
            Conflict: The journal is closed.
        """
        # This is the hot path, written out: each call of a helper would cost a tenth of the whole.
        try:
            metric = self._metrics[name]
        except (KeyError, TypeError):
            metric = self._meet(name)
        if type(value) is not float:
            value = as_number(name, value)
        time_us = time.time_ns() // 1000 if time_us is None else as_time(name, time_us)
        if step is None:
            step = metric.next_step()
        else:
            if type(step) is not int or not _FIRST <= step <= _LAST:
                step = as_step(name, step)
            metric.next_step = steps_from(name, step + 1)
        # A float minus itself is 0 but for those that are not finite.
        text = repr(value) if value - value == 0.0 else number_text(value)
        head = f'{metric.prefix}{text},"s":{step},"t":{time_us}'.encode()
        self._append(head + b',"c":%d}\n' % crc32(head))

    def metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log a point of several metrics, all or none of them, at one time.

        Args:
            values: As for `metric`, by name.
            step: Of all; by default each metric's own next one.

        Raises:
            InvalidArgument: A name, a value or the step is something else; nothing is logged.
            Conflict: The journal is closed.
        """
        numbers = [(self._meet(name), name, as_number(name, value)) for name, value in values.items()]
        if not numbers:
            return
        if step is not None:
            step = as_step(numbers[0][1], step)
        end = f',"t":{time.time_ns() // 1000}'
        lines = []
        for metric, name, number in numbers:
            if step is not None:
                metric.next_step = steps_from(name, step + 1)
            at = metric.next_step() if step is None else step
            head = f'{metric.prefix}{number_text(number)},"s":{at}{end}'.encode()
            lines.append(head + b',"c":%d}\n' % crc32(head))
        self._append(b"".join(lines))

    def count_on(self, last_steps: Mapping[str, int]) -> None:
        """Let the steps of metrics go on after these, where they are not given: of a run that is resumed."""
        for name, step in last_steps.items():
            self._meet(name).next_step = steps_from(name, step + 1)

    def param(self, name: str, text: str) -> None:
        """Log a parameter as text.

        Raises:
            InvalidArgument: A bad name, or not a text of at most 64 Ki characters.
            Conflict: The journal is closed.
        """
        check_key(name, what="param")
        self._write("param", f"param {name!r}", n=name, x=check_text(text, what=f"param {name!r}"))

    def tag(self, name: str, text: str | None) -> None:
        """Set a tag, or remove it with None.

        Raises:
            InvalidArgument: A bad name, or not a text of at most 64 Ki characters.
            Conflict: The journal is closed.
        """
        check_key(name, what="tag")
        value = None if text is None else check_text(text, what=f"tag {name!r}")
        self._write("tag", f"tag {name!r}", n=name, x=value)

    def row(self, name: str, values: Mapping[str, Any]) -> None:
        """Log a row of a table.

        Args:
            name: Of the table.
            values: JSON by column.

        Raises:
            InvalidArgument: A bad name, something JSON does not have, or a row of more than 1 MiB.
            Conflict: The journal is closed.
        """
        check_key(name, what="table")
        self._write("row", f"a row of table {name!r}", n=name, x=_object(values, f"a row of table {name!r}"))

    def file(self, record: RunFileRecord) -> None:
        """Log that the run keeps a file; its content is stored elsewhere.

        Raises:
            Conflict: The journal is closed.
        """
        self._write("file", f"file {record.path!r}", x=attrs.asdict(record, recurse=False))

    def input(self, record: InputRecord) -> None:
        """Log that the run read some data.

        Raises:
            InvalidArgument: Schema or profile have something JSON does not have, or more than 1 MiB.
            Conflict: The journal is closed.
        """
        what = f"input {record.name!r}"
        self._write("input", what, x=_object(attrs.asdict(record, recurse=False), what))

    def context(self, values: Mapping[str, Any]) -> None:
        """Log what surrounds the run, JSON by topic; a topic logged again replaces the earlier one.

        Raises:
            InvalidArgument: Something JSON does not have, or a topic of more than 1 MiB.
            Conflict: The journal is closed.
        """
        for topic, value in values.items():
            # A line each, because all topics together may be longer than a line.
            self._write("context", f"context {topic!r}", x=_object({topic: value}, f"context {topic!r}"))

    def status(self, status: str, error: str | None = None, exit_code: int | None = None) -> None:
        """Claim a state of the run.

        Args:
            status: One of `RunStatus`.
            error: Why; its last 64 Ki characters are kept.
            exit_code: Of the script, where it had one.

        Raises:
            Conflict: The journal is closed.
        """
        reason = None if error is None else lenient(error, most=MAX_TEXT)
        self._write("status", f"status {status!r}", vital=True, x=status, e=reason, code=exit_code)

    def note(self, text: str) -> None:
        """Log a remark for whoever looks at the run; its last 64 Ki characters are kept.

        Raises:
            Conflict: The journal is closed.
        """
        self._write("note", "a note", x=lenient(text, most=MAX_TEXT))

    def flush(self) -> None:
        """Wait until all that was logged is safe on the disk.

        Raises:
            Unavailable: Some of it is still only in memory, or was dropped.
        """
        self._file.flush()

    def close(self) -> None:
        """End the journal: write the last line, flush, give the lock back. Again does nothing.

        Raises:
            Unavailable: Some lines could not be written; where they are still in memory, `close` may be tried again.
        """
        self._file.end(sealed(f'"k":"end","t":{time.time_ns() // 1000}', what="the last line of a journal"))

    def after_fork(self) -> None:
        """Begin a journal of the child's own; called in every forked child."""
        self._metrics.clear()
        self._file.after_fork()

    def _meet(self, name: str) -> _Metric:
        known = self._metrics.get(name) if isinstance(name, str) else None
        if known is None:
            check_key(name, what="metric")
            prefix = f'{{"v":{VERSION},"k":"metric","n":{quoted(str(name))},"x":'
            # Two threads may meet a name at once; both must count its steps with the same counter.
            known = self._metrics.setdefault(name, _Metric(prefix, steps_from(name, 0)))
        return known

    def _write(self, kind: str, what: str, *, vital: bool = False, **fields: Any) -> None:
        members = "".join(f',"{key}":{quoted(value)}' for key, value in fields.items())
        body = f'"k":"{kind}"{members},"t":{time.time_ns() // 1000}'
        self._append(sealed(body, what=what), vital=vital)


def _object(values: Mapping[str, Any], what: str) -> Any:
    if not isinstance(values, Mapping):
        raise InvalidArgument(f"{what} is a mapping, not {type(values).__name__}")
    return plain(values, what=what)

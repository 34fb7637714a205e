"""Trying a scoring script in a clean process, and what it is then found to need."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import attrs

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import InputSpec
from amlsdk.resources.manifesting.installed import Environment
from amlsdk.resources.manifesting.samples import Sample

__all__ = ["Outcome", "Question", "probe"]

_LOGGER = logging.getLogger("amlsdk")
_HERE = Path(__file__).parent
_PATIENCE_S = 300.0
_MOST_OUTPUT = 64 * 1024
_MOST_TRIES = 6
_LINES = 20
_MOST_SHOWN = 4096
# Steps that fail for other reasons than a hidden module, and those that know nothing of tables or arrays yet.
_NOT_OF_MODULES = frozenset({"the sample", "the model", "types"})
_BEFORE_RUN = frozenset({"loading the script", "init()"})
# Of the machine, and none of the user: an image has neither.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PASSED_BEGINNINGS = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "NVPL_")


@attrs.frozen(kw_only=True)
class Question:
    """What is to be tried.

    Args:
        root: Of the bundle that was laid out.
        script: Path of the script in `app`.
        sample: What it is to score.
        visible: Names of the distributions that it may import.
        generated: amlsdk wrote the script.
        skops: The skops file whose types the script is to name, or None.
        harmless: Types that need no trust.
        trusted: Other types are trusted, too.
        placeholder: What stands in the script for the types.
        try_array: Tables are to be tried as arrays.
        compare: Tables are to be compared with arrays.
        known: The predictor takes each row by itself, whatever it is made of.
        check: Files of modules that check a loaded model, by name.
        known_folders: Folders with files that an image has, too.
        service: Modules that the service imports.
    """

    root: Path
    script: str
    sample: Sample
    visible: frozenset[str]
    generated: bool = False
    skops: Path | None = None
    harmless: tuple[str, ...] = ()
    trusted: bool = False
    placeholder: str = ""
    try_array: bool = False
    compare: bool = False
    known: bool = False
    check: Mapping[str, str] = attrs.field(factory=dict)
    known_folders: tuple[str, ...] = ()
    service: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Outcome:
    """What was found.

    Args:
        sample: The sample, without what the model does not know.
        result: What it was answered.
        files: Of the modules that were imported, other than those of Python and of the bundle's own part.
        opened: Files outside of the bundle that the script read.
        types: That a skops file holds and skops does not trust by itself.
        row_wise: Waiting requests may be scored together.
        model: Class of the model of a generated script.
        output: The last that was printed.
        app: Where the script was tried.
    """

    sample: Sample
    result: Any
    files: tuple[str, ...]
    opened: tuple[str, ...]
    types: tuple[str, ...]
    row_wise: bool
    model: str
    output: str
    app: str


def probe(question: Question, installed: Environment) -> Outcome:
    """Try a script, with as few of the installed distributions as it does with.

    Raises:
        InvalidArgument: The sample does not fit the script or the model, or the model's file needs trust.
        OperationFailed: The script failed; the message has the last lines of its traceback.
    """
    failure: dict[str, Any] = {}
    output = ""
    for _ in range(_MOST_TRIES):
        reply, output = _ask(question, installed)
        if "failure" not in reply:
            return _outcome(question, reply, output)
        failure = reply["failure"]
        if failure["step"] in _NOT_OF_MODULES and not failure["missing"]:
            break
        if question.try_array and failure["step"] not in _BEFORE_RUN:
            # Models that choose their columns by name take tables only.
            question = attrs.evolve(question, try_array=False, visible=_with(question, installed, ["pandas"]))
            continue
        missing = (failure["missing"] or "").partition(".")[0]
        wider = _with(question, installed, [missing] if missing in reply["asked"] else installed.by_top)
        if not reply["asked"] or wider == question.visible:
            break
        question = attrs.evolve(question, visible=wider)
    raise _error(failure, output)


def _with(question: Question, installed: Environment, tops: Iterable[str]) -> frozenset[str]:
    return question.visible | installed.closure(tops)


def _outcome(question: Question, reply: Mapping[str, Any], output: str) -> Outcome:
    if output:
        _LOGGER.info("the scoring script printed:\n%s", output)
    inputs = tuple(CONVERTER.structure(each, InputSpec) for each in reply["inputs"])
    return Outcome(
        sample=Sample(inputs=inputs, body=reply["body"]),
        result=reply["result"],
        files=tuple(reply["files"]),
        opened=tuple(reply["opened"]),
        types=tuple(reply["types"]),
        row_wise=reply["row_wise"],
        model=reply["model"],
        output=output,
        app=f"{os.path.realpath(question.root)}/app/",
    )


def _ask(question: Question, installed: Environment) -> tuple[dict[str, Any], str]:
    """Start a process, tell it, and wait for its answer."""
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.fspath(_HERE / "probe")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writer],
            env=_environment_variables(),
            start_new_session=True,
        )
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe, process:
        answers, lines = _Kept(pipe, most=None), _Kept(_pipe(process.stdout), most=_MOST_OUTPUT)
        _tell(_pipe(process.stdin), _message(question, installed, writer))
        return _hear(process, answers, lines)


def _hear(process: subprocess.Popen[bytes], answers: _Kept, lines: _Kept) -> tuple[dict[str, Any], str]:
    try:
        code = process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise OperationFailed(
            f"the scoring script did not score the sample within {_PATIENCE_S:g} s; its last lines:\n"
            + _tail(lines.text())
        ) from None
    finally:
        _end(process)
    answer, output = answers.text(), lines.text()
    if not answer:
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise OperationFailed(
            f"the scoring script {ended} before it scored the sample; its last lines:\n{_tail(output)}"
        )
    reply: dict[str, Any] = json.loads(answer)
    return reply, output


def _message(question: Question, installed: Environment, reply: int) -> dict[str, Any]:
    asdict = attrs.asdict(question, recurse=False)
    shown = {top for name in question.visible if name in installed.by_name for top in installed.by_name[name].tops}
    own = installed.by_name.get("amlsdk")
    hidden = [top for top in installed.by_top if top not in shown and top != "amlsdk"]
    return {
        **asdict,
        "root": os.fspath(question.root),
        "sample": None,
        "visible": None,
        "skops": None if question.skops is None else os.fspath(question.skops),
        "inputs": CONVERTER.unstructure(question.sample.inputs),
        "body": question.sample.body,
        "path": [each for each in installed.path if own is None or each not in map(str, own.sources)],
        "hidden": hidden,
        "reply": reply,
    }


def _tell(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    import orjson

    # One that died at once is told by its exit code.
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(orjson.dumps(message))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:  # never with PIPE
        raise OperationFailed("the probe has no pipe")
    return stream


def _environment_variables() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in _PASSED or key.startswith(_PASSED_BEGINNINGS)}
    return {**kept, "PYTHONIOENCODING": "utf-8:backslashreplace"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what the script left running, too: it has a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Kept:
    """Reads a stream to its end, and keeps the last of it: a script may print gigabytes."""

    def __init__(self, stream: IO[bytes], *, most: int | None) -> None:
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, args=(stream, most), daemon=True, name="amlsdk-probe")
        self._thread.start()

    def _read(self, stream: IO[bytes], most: int | None) -> None:
        while chunk := stream.read1(1 << 16) if hasattr(stream, "read1") else stream.read(1 << 16):
            self._content += chunk
            if most is not None and len(self._content) > 2 * most:
                del self._content[:-most]

    def text(self) -> str:
        """Return what was kept, once the stream has ended."""
        self._thread.join(5)
        return bytes(self._content).decode("utf-8", "replace").rstrip()


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_LINES:])[-_MOST_SHOWN:] or "(it printed nothing)"


def _error(failure: Mapping[str, Any], output: str) -> InvalidArgument | OperationFailed:
    step, message = failure["step"], failure["message"]
    if step == "types":
        return InvalidArgument(
            f"the model holds types that are not known to be harmless: {message}; loading it runs their code, here and "
            "wherever the manifest is served. If you trust its author, say trusted=True"
        )
    if step in {"the sample", "the model"}:
        return InvalidArgument(message if step == "the model" else f"the sample does not fit: {message}")
    if step == "the result of run()":
        return OperationFailed(f"what run() gave for the sample can't be sent as JSON: {message}")
    text = f"the scoring script failed in {step} ({failure['kind']}: {message})"
    if failure["missing"]:
        text += "; install the package, or put the module beside the script in a folder and give that folder"
    if failure["file"] is not None:
        text += "; only files of the models and those beside the script are there: put it in the script's folder"
    trace = "\n".join(failure["trace"])
    return OperationFailed(
        f"{text}; the last lines:\n{_tail(trace)}" + (f"\nit printed:\n{_tail(output)}" if output else "")
    )

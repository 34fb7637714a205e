"""The wheels that a package index has of what is installed, and their hashes: asked of pip, by its own settings."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import attrs

from amlsdk.resources.manifesting.installed import Distribution, normalised

__all__ = ["Wheel", "Wheels"]

_PATIENCE_S = 20.0
_TAG = re.compile(r"^Tag:[ \t]*(\S+)-(\S+)-(\S+)", re.MULTILINE)
_LACKING = re.compile(rb"No matching distribution found for ([A-Za-z0-9._-]+)==")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@attrs.frozen
class Wheel:
    """A wheel of an index.

    Args:
        file: Its name.
        sha256: Of its content, hexadecimal digits.
    """

    file: str
    sha256: str


class Wheels:
    """Asks for wheels in the background; what was answered once is kept for this user.

    Args:
        wanted: Distributions that may turn out to be needed.
        ask: Whether the index may be asked; without, none are known.
    """

    def __init__(self, wanted: Iterable[Distribution], *, ask: bool = True) -> None:
        # Where pip itself is told to ask no index, starting it would only take time.
        ask = ask and (not os.environ.get("PIP_NO_INDEX") or bool(os.environ.get("PIP_FIND_LINKS")))
        self._known: dict[str, Wheel] = _read(_cache()) if ask else {}
        self._reason = "" if ask else "the package index was not asked"
        self._asked = [one for one in wanted if ask and one.source is None and _key(one) not in self._known]
        self._thread = threading.Thread(target=self._ask, daemon=True, name="amlsdk-wheels")
        self._thread.start()

    def of(self, distributions: Sequence[Distribution]) -> tuple[dict[str, Wheel], str]:
        """Return the wheels by the names of the distributions, and why others are missing; waits for the answer."""
        self._thread.join()
        found = {one.name: self._known[_key(one)] for one in distributions if _key(one) in self._known}
        return found, self._reason

    def _ask(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        asked = list(self._asked)
        while asked:
            report, lacking = self._report(asked, until - time.monotonic())
            found = _wheels_in(report)
            new = {_key(one): found[one.name] for one in asked if one.name in found}
            self._known |= new
            if new:
                _write(_cache(), self._known)
            # pip gives no report at all when its index lacks one of them: it is asked again for the others.
            asked = [one for one in asked if one.name not in lacking] if lacking else []

    def _report(self, asked: Sequence[Distribution], patience_s: float) -> tuple[str, set[str]]:
        """Return pip's report, empty where there is none, and the names of those that its index lacks."""
        try:
            done = subprocess.run(
                _command(asked),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=max(0.1, patience_s),
                check=False,
                env={**os.environ, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            )
        except subprocess.TimeoutExpired:
            self._reason = f"pip did not answer within {_PATIENCE_S:g} s"
            return "", set()
        except OSError as error:
            self._reason = f"pip could not be started: {error.strerror}"
            return "", set()
        if done.returncode != 0:
            # Not its words: they may have an index's address, with a password in it.
            has_none = b"No module named pip" in done.stderr
            self._reason = "this Python has no pip" if has_none else "pip did not find all of them in its index"
            lacking = {normalised(name.decode()) for name in _LACKING.findall(done.stderr)}
            return "", lacking & {one.name for one in asked}
        return done.stdout.decode("utf-8", "replace"), set()


def _command(asked: Sequence[Distribution]) -> list[str]:
    """One call for all, for the tags of what is installed only: the search through all others is most of pip's time."""
    tags = {tag for one in asked for tag in _TAG.findall(_wheel_text(one))}
    platforms = sorted({each for _, _, each in tags if each != "any"})
    abis = sorted({abi for _, abi, _ in tags if abi != "none"})
    command = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed"]
    command += ["--report", "-", "--only-binary", ":all:", "--no-color", "--retries", "1"]
    # pip takes tags together with a target only; a dry run makes none.
    command += ["--target", os.path.join(tempfile.gettempdir(), f"amlsdk-{secrets.token_hex(8)}")]  # noqa: PTH118
    for platform in platforms:
        command += ["--platform", platform]
    for abi in abis if platforms else ():
        command += ["--abi", abi]
    return [*command, *(f"{one.name}=={one.version}" for one in asked)]


def _wheel_text(one: Distribution) -> str:
    try:
        return (one.site / one.info / "WHEEL").read_text("utf-8", "replace")
    except OSError:
        return ""


def _wheels_in(report: str) -> dict[str, Wheel]:
    found: dict[str, Wheel] = {}
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        for item in json.loads(report)["install"]:
            info = item["download_info"]
            digest = info.get("archive_info", {}).get("hashes", {}).get("sha256", "")
            file = PurePosixPath(unquote(urlsplit(info["url"]).path)).name
            name = normalised(item["metadata"]["name"])
            if _SHA256.fullmatch(digest) and file.endswith(".whl"):
                found[name] = Wheel(file, digest)
    return found


def _key(one: Distribution) -> str:
    python = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    return f"{one.name}=={one.version} {python}"


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    return Path(home) / "amlsdk" / "wheels.json"


def _read(path: Path) -> dict[str, Wheel]:
    try:
        content = json.loads(path.read_bytes())
        pairs = content["wheels"].items() if content.get("version") == 1 else ()
        return {key: Wheel(str(file), str(digest)) for key, (file, digest) in pairs if _SHA256.fullmatch(digest)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(path: Path, wheels: Mapping[str, Wheel]) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    content = {"version": 1, "wheels": {key: [wheel.file, wheel.sha256] for key, wheel in sorted(wheels.items())}}
    # Only time is lost with it.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            draft.write_text(json.dumps(content), "utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

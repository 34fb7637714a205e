"""The code of a project on its way to others, and back: by git, with the user's own program."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from amlsdk.errors import AmlError, Conflict, Denied, InvalidArgument, MissingDependency, NotFound, Unavailable
from amlsdk.repositories.making import settings_in_environment
from amlsdk.resources.capture.sensitive import without_credentials
from amlsdk.urls import is_loopback

__all__ = ["HISTORIES", "HISTORY", "Repository", "ask_git", "check_branch", "clone", "git_says", "remote_url"]

_LOG = logging.getLogger("amlsdk")
# Where commits of what was not committed are kept: no branch, and so in nobody's way.
HISTORY = "refs/amlsdk/history"
# Where those of all members are, in the repository of the service; whoever fetches them keeps their own.
HISTORIES = "refs/amlsdk/histories"
_TIMEOUT_S = 3600.0
_BRANCH = re.compile(r"[A-Za-z0-9._/+@-]{1,200}")
# What git and its servers say, and what it is.
_REFUSALS: tuple[tuple[str, type[AmlError], str], ...] = (
    ("non-fast-forward", Conflict, "somebody published other commits meanwhile: pull, merge, then publish again"),
    ("fetch first", Conflict, "somebody published other commits meanwhile: pull, merge, then publish again"),
    ("Authentication failed", Denied, "the token, or the user's own credentials for this remote, were refused"),
    ("could not read Username", Denied, "the remote asks for credentials, and git has none: give them to git first"),
    ("returned error: 403", Denied, "the role here does not allow it"),
    ("returned error: 404", NotFound, "there is no such repository, or it is not for this user"),
    ("returned error: 401", Denied, "the token was refused"),
    ("Could not resolve host", Unavailable, "the remote can't be reached; try again"),
    ("Failed to connect", Unavailable, "the remote can't be reached; try again"),
    ("Connection refused", Unavailable, "the remote can't be reached; try again"),
    ("not found", NotFound, "there is no such repository"),
    ("does not appear to be a git repository", NotFound, "there is no such repository"),
)


@attrs.frozen(kw_only=True)
class Repository:
    """The git repository that a project's folder lies in.

    Args:
        root: Its top folder.
        token: For the service's own repository; shown to nobody else.
    """

    root: Path
    token: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, folder: Path | None, *, token: str | None) -> Repository:
        """Return the repository of a folder.

        Raises:
            InvalidArgument: There is no folder, or it is in no repository.
        """
        if folder is None:
            raise InvalidArgument("the project has no folder on this machine: project.update(folder=...) names it")
        if not folder.is_dir():
            raise InvalidArgument(
                f"the project's folder {str(folder)!r} is not on this machine; name it anew, or clone"
            )
        try:
            root = ask_git(["rev-parse", "--show-toplevel"], folder)
        except AmlError as error:
            if isinstance(error, MissingDependency):
                raise
            raise InvalidArgument(
                f"{str(folder)!r} is in no git repository: `git init`, commit what is to be published, then try again"
            ) from error
        return cls(root=Path(root), token=token)

    def head(self) -> str:
        """Return the commit that is checked out.

        Raises:
            InvalidArgument: There is none yet.
        """
        try:
            return ask_git(["rev-parse", "--verify", "HEAD^{commit}"], self.root)
        except AmlError as error:
            raise InvalidArgument(f"the repository {str(self.root)!r} has no commit yet; commit first") from error

    def branch(self, wanted: str | None) -> str:
        """Return the branch to publish to: the one wanted, or the one that is checked out.

        Raises:
            InvalidArgument: It can't be the name of one, or none is checked out.
        """
        if wanted is None:
            try:
                return ask_git(["symbolic-ref", "--quiet", "--short", "HEAD"], self.root)
            except AmlError as error:
                raise InvalidArgument("no branch is checked out: publish(branch=...) names one") from error
        return check_branch(wanted)

    def remote(self, wanted: str) -> str:
        """Return the URL of a remote, by the name that the repository has for it or as it is.

        Raises:
            InvalidArgument: It is none that is safe to ask.
        """
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", wanted):
            try:
                return ask_git(["remote", "get-url", "--push", "--", wanted], self.root)
            except AmlError:
                pass
        return remote_url(wanted)

    def push(self, url: str, *, branch: str, history_as: str | None) -> None:
        """Send the commit that is checked out, and the hidden history where there is one.

        Raises:
            Conflict: The remote has commits that this repository has not.
            Denied: It refuses the credentials.
            NotFound: There is no such repository.
            Unavailable: It can't be reached.
        """
        self._push(url, f"HEAD:refs/heads/{branch}")
        if history_as is not None and self._has_history():
            try:
                self._push(url, f"{HISTORY}:{HISTORIES}/{history_as}/{self._name_of_copy()}")
            except AmlError as error:
                # What is committed is what was asked for.
                _LOG.warning("the history of what was not committed stays on this machine: %s", error)

    def _push(self, url: str, reference: str) -> None:
        ask_git(["push", "--quiet", "--no-verify", "--", url, reference], self.root, token=self.token, url=url)

    def _has_history(self) -> bool:
        try:
            ask_git(["rev-parse", "--verify", "--quiet", HISTORY], self.root)
        except AmlError:
            return False
        return True

    def _name_of_copy(self) -> str:
        # Two copies of one user have histories that do not follow on each other.
        return hashlib.sha256(f"{socket.gethostname()}:{self.root}".encode()).hexdigest()[:16]


def check_branch(name: str) -> str:
    """Return what can be a branch.

    Raises:
        InvalidArgument: It can't.
    """
    if not isinstance(name, str) or not _BRANCH.fullmatch(name) or name.startswith("-") or ".." in name:
        raise InvalidArgument(f"{name!r:.160} can't name a branch")
    return name


def remote_url(url: str) -> str:
    """Return the URL or path of a repository that is safe to ask.

    Raises:
        InvalidArgument: It would be taken for an option, or start a program.
    """
    if not isinstance(url, str) or not url or url.startswith("-") or "::" in url or not url.isprintable():
        raise InvalidArgument(
            f"{url!r:.160} is no remote: a name of one, a path, or a URL of https, ssh or git is expected"
        )
    scheme = urlsplit(url).scheme
    if "://" in url and scheme not in {"http", "https", "ssh", "git", "file"}:
        raise InvalidArgument(f"git repositories are asked by https, ssh, git or file, not by {scheme!r}")
    return url


def clone(url: str, folder: Path, *, branch: str, token: str | None) -> None:
    """Write a repository out into a new or empty folder, with a branch checked out.

    Raises:
        InvalidArgument: The folder has something in it.
        AmlError: It can't be had; see `Repository.push`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(f"{str(folder)!r} has something in it; name a new or an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["clone", "--quiet", "--no-recurse-submodules", "--template=", "--branch", branch]
    ask_git([*arguments, "--", url, str(folder)], folder.parent, token=token, url=url)


def ask_git(
    arguments: list[str],
    folder: Path,
    *,
    token: str | None = None,
    url: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what git says, as a text without what is around it; see `git_says`."""
    said = git_says(arguments, folder, token=token, url=url, environment=environment)
    return said.decode(errors="replace").strip()


def git_says(
    arguments: list[str],
    folder: Path,
    *,
    told: bytes = b"",
    token: str | None = None,
    url: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Return what git says.

    Args:
        arguments: Of git.
        folder: Where it is asked.
        told: What it reads from standard input.
        token: Shown to `url` only.
        url: Of the remote that is asked.
        environment: Variables beyond those of this process.

    Raises:
        AmlError: It refuses; the message has its words, without credentials.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607  # whichever git the user has
            cwd=folder,
            env={**_environment(url, token), **(environment or {})},
            input=told,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingDependency("projects are published by git, which is not installed here: install git") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"git {arguments[0]} did not come to its end in {_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise _refusal(arguments[0], done.stderr.decode(errors="replace"), url)
    return done.stdout


def _environment(url: str | None, token: str | None) -> dict[str, str]:
    settings = {"protocol.ext.allow": "never", "core.hooksPath": os.devnull}
    if url is not None and token is not None:
        # In the environment of one process: no file, no list of processes and no message has it.
        settings[f"http.{url}.extraHeader"] = f"Authorization: Bearer {token}"
        settings["http.followRedirects"] = "false"
    if url is not None and is_loopback(url):
        # A proxy's "127.0.0.1" is the proxy itself.
        settings[f"http.{url}.proxy"] = ""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_CONFIG_")}
    return {**kept, **settings_in_environment(settings), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _refusal(command: str, said: str, url: str | None) -> AmlError:
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("hint:")]
    told = without_credentials(" ".join(lines)[:500]) or "it said nothing"
    where = f" {without_credentials(url)}" if url else ""
    for mark, kind, remedy in _REFUSALS:
        if mark in said:
            return kind(f"git {command}{where}: {remedy} ({told})")
    return Unavailable(f"git {command}{where} failed: {told}")

"""What git_state tells of a repository, and that nothing about one can make it raise."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from amlsdk.resources.capture.git import MOST_DIFF, git_state
from amlsdk.resources.capture.git_command import Git, GitError
from amlsdk.resources.capture.git_head import find_root, read_head

ENVIRONMENT = {
    **os.environ,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder, *arguments):
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("depth = 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_clean_repository(repository):
    state = git_state(repository)
    assert state["root"] == str(repository)
    assert state["commit"] == git(repository, "rev-parse", "HEAD")
    assert state["branch"] == "main"
    assert (state["dirty"], state["diff"], state["untracked"], state["error"]) == (False, "", [], None)


def test_a_folder_outside_of_any_repository_has_no_state(tmp_path):
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "nowhere") is None


def test_the_diff_has_staged_and_unstaged_changes_of_the_whole_tree_and_can_be_applied(repository):
    inner = repository / "inner"
    inner.mkdir()
    (inner / "new.py").write_text("x = 1\n")
    git(repository, "add", "inner/new.py")
    (repository / "train.py").write_text("depth = 4\n")
    state = git_state(inner)
    assert state["dirty"]
    assert not state["diff_truncated"]
    git(repository, "reset", "-q", "--hard")
    patch = repository.parent / "patch"
    patch.write_text(state["diff"])
    git(repository, "apply", str(patch))
    assert (repository / "train.py").read_text() == "depth = 4\n"
    assert (inner / "new.py").read_text() == "x = 1\n"


def test_untracked_files_are_named_and_do_not_make_it_dirty(repository):
    (repository / "notes.txt").write_text("x")
    (repository / "data").mkdir()
    (repository / "data" / "a.csv").write_text("x")
    state = git_state(repository)
    assert (state["dirty"], state["untracked"], state["untracked_count"]) == (False, ["data/", "notes.txt"], 2)


def test_a_detached_head_has_no_branch(repository):
    git(repository, "checkout", "-q", "--detach")
    state = git_state(repository)
    assert state["branch"] is None
    assert state["commit"]


def test_before_the_first_commit_the_diff_is_against_nothing(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    state = git_state(tmp_path)
    assert (state["commit"], state["branch"], state["error"]) == (None, "main", None)
    assert "+x = 1" in state["diff"]


def test_a_long_diff_is_cut_at_a_line_and_says_so(repository):
    (repository / "train.py").write_text("é = 1\n" * 400_000)
    state = git_state(repository)
    assert state["diff_truncated"]
    assert MOST_DIFF - 100 < len(state["diff"].encode()) <= MOST_DIFF
    assert state["diff"].endswith("\n")


def test_content_and_names_that_are_not_utf8_become_text(repository):
    name = os.fsencode(repository) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_bytes(b"a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "second")
    Path(os.fsdecode(name)).write_bytes(b"caf\xe9\n")
    state = git_state(repository)
    assert "+caf\ufffd" in state["diff"]
    state["diff"].encode()


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "deploy/.ENV", "keys/server.pem", "id_rsa", ".envs/prod/django"]
)
def test_files_that_look_like_secrets_are_named_but_not_in_the_diff(repository, name):
    secret = repository / name
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("PASSWORD=old\n")
    git(repository, "add", "-f", ".")
    git(repository, "commit", "-q", "-m", "second")
    secret.write_text("PASSWORD=hunter2\n")
    (repository / "train.py").write_text("depth = 8\n")
    state = git_state(repository)
    assert "hunter2" not in str(state)
    assert "depth = 8" in state["diff"]
    assert state["left_out"] == [name]


def test_secrets_stay_out_of_the_diff_of_very_many_files(repository):
    secrets = ["a/.env.b", "a/.ENV", ".ssh/config", "deep/er/id_rsa.old", "x.PEM"]
    for name in [*secrets, *(f"f{number}.txt" for number in range(300))]:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("hunter2\n" if name in secrets else f"{name}\n")
    git(repository, "add", "-f", ".")
    state = git_state(repository)
    assert "hunter2" not in state["diff"]
    assert state["diff"].count("diff --git") == 300
    assert sorted(state["left_out"]) == sorted(secrets)


def test_names_with_the_characters_of_patterns_are_just_names(repository):
    for name in ("*.py", ":(top)x", "a b\nc", "caf\udce9"):
        (repository / name).write_text("x\n")
    git(repository, "add", ".")
    assert git_state(repository)["diff"].count("new file") == 4


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:s3cret@example.com/a.git", "https://example.com/a.git"),
        ("https://ghp_token@example.com/a.git", "https://example.com/a.git"),
        ("https://user:pa/ss@example.com/a.git", "https://example.com/a.git"),
        ("https://example.com:8443/team@v1/a.git?token=1", "https://example.com:8443/team@v1/a.git"),
        ("ssh://git:pw@example.com:22/a.git", "ssh://git:***@example.com:22/a.git"),
        ("git@example.com:a.git", "git@example.com:a.git"),
    ],
)
def test_the_remote_is_kept_without_credentials(repository, url, kept):
    git(repository, "remote", "add", "origin", url)
    assert git_state(repository)["remote"] == kept


def test_the_remote_is_that_of_the_branch(repository):
    git(repository, "remote", "add", "origin", "https://example.com/origin.git")
    git(repository, "remote", "add", "fork", "https://example.com/fork.git")
    git(repository, "config", "branch.main.remote", "fork")
    assert git_state(repository)["remote"] == "https://example.com/fork.git"


def test_a_configured_diff_program_and_textconv_are_not_run(repository):
    trap = repository.parent / "ran"
    program = repository.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\n")
    program.chmod(0o755)
    git(repository, "config", "diff.external", str(program))
    git(repository, "config", "diff.trap.textconv", str(program))
    git(repository, "config", "core.fsmonitor", str(program))
    (repository / ".git" / "info" / "attributes").write_text("* diff=trap\n")
    (repository / "train.py").write_text("depth = 3\n")
    assert "+depth = 3" in git_state(repository)["diff"]
    assert not trap.exists()


def test_the_index_is_not_written(repository):
    index = repository / ".git" / "index"
    os.utime(repository / "train.py", ns=(1, 1))
    before = index.read_bytes()
    git_state(repository)
    assert index.read_bytes() == before
    assert not (repository / ".git" / "index.lock").exists()


def test_variables_of_a_surrounding_git_command_do_not_mislead(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    state = git_state(repository)
    assert (state["error"], state["dirty"]) == (None, False)


def test_without_git_commit_and_branch_are_read_from_the_files(repository, monkeypatch, tmp_path):
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    state = git_state(repository)
    assert (state["commit"], state["branch"]) == (commit, "main")
    assert (state["dirty"], state["diff"]) == (None, None)
    assert "git can't be started" in state["error"]


def test_where_git_distrusts_the_owner_commit_and_branch_are_still_known(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    state = git_state(repository)
    assert "dubious ownership" in state["error"]
    assert state["commit"]
    assert state["branch"] == "main"


@pytest.mark.parametrize("damage", ["HEAD", "objects", "index", "config"])
def test_a_broken_repository_gives_a_state_or_nothing(repository, damage):
    target = repository / ".git" / damage
    if target.is_dir():
        target.rename(repository.parent / "gone")
    else:
        target.write_bytes(b"\x00\xff broken")
    state = git_state(repository)
    assert state["error"]
    assert state["diff"] is None


def test_a_damaged_branch_has_no_commit(repository):
    (repository / ".git" / "refs" / "heads" / "main").write_bytes(b"\x00\xff broken")
    assert git_state(repository)["commit"] is None


def test_a_repository_around_a_broken_one_is_not_taken_for_it(repository):
    inner = repository / "inner"
    (inner / ".git").mkdir(parents=True)
    (inner / ".git" / "HEAD").write_text("nonsense")
    state = git_state(inner)
    assert (state["root"], state["commit"]) == (str(inner), None)
    assert state["error"]


def test_the_head_is_read_from_packed_refs_and_in_linked_worktrees(repository):
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert read_head(repository) == (commit, "main")
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", "-q", "-b", "other", str(linked))
    git(repository, "pack-refs", "--all")
    assert find_root(linked) == linked
    assert read_head(linked) == (commit, "other")
    assert git_state(linked)["branch"] == "other"


def test_a_command_is_stopped_at_the_deadline_with_all_it_started(repository):
    """A clean filter that never ends must not hold a run up."""
    git(repository, "config", "filter.slow.clean", "sleep 60")
    (repository / ".git" / "info" / "attributes").write_text("* filter=slow\n")
    (repository / "train.py").write_text("depth = 7\n")
    began = time.monotonic()
    state = git_state(repository, timeout_s=0.5)
    assert time.monotonic() - began < 10
    assert "did not answer in time" in state["error"]
    assert state["commit"]


def test_output_beyond_the_limit_stops_the_command(repository):
    (repository / "big.txt").write_text("x\n" * 2_000_000)
    git(repository, "add", ".")
    asked = Git(repository, time.monotonic() + 10)
    assert asked.ask("show", ":big.txt", most=10) == (b"x\n" * 5, False)
    with pytest.raises(GitError, match="unknown"):
        asked.ask("show", "--unknown-option")

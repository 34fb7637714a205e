"""What is read off a command line, and what is hidden of it."""

import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.resources.capture.command import command_line, masked, params_of
from amlsdk.resources.capture.sensitive import is_secret_name, without_credentials, without_password


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        (["--depth", "4"], {"depth": "4"}),
        (["--depth=4"], {"depth": "4"}),
        (["--learning-rate", "1e-3"], {"learning_rate": "1e-3"}),
        (["--shift", "-3.5e-2", "--low", "-inf"], {"shift": "-3.5e-2", "low": "-inf"}),
        (["--verbose", "--depth", "4"], {"verbose": "true", "depth": "4"}),
        (["--verbose"], {"verbose": "true"}),
        (["-n", "3"], {"n": "3"}),
        (["-lr", "0.1", "-lr2=0.2"], {"lr": "0.1"}),
        (["-v", "--depth", "2"], {"v": "true", "depth": "2"}),
        (["-vvv", "-n3"], {}),
        (["--depth", "4", "--depth", "8"], {"depth": "8"}),
        (["--name="], {"name": ""}),
        (["--note", "a b=c"], {"note": "a b=c"}),
        (["data.csv", "--depth", "4", "more.csv"], {"depth": "4"}),
        (["--out", "-"], {"out": "-"}),
        (["--depth", "4", "--", "--hidden", "1"], {"depth": "4"}),
        (["--model.lr", "0.1"], {"model.lr": "0.1"}),
        (["-5", "--", "-"], {}),
        (["--=x", "---x", "--9=1", ""], {}),
        ([], {}),
    ],
)
def test_params_of_arguments(arguments, params):
    assert params_of(arguments) == params


@pytest.mark.parametrize("name", ["token", "hf-token", "api_key", "apiKey", "password", "db-password", "client_secret"])
def test_secrets_are_no_params_and_masked_on_the_command_line(name):
    for arguments in ([f"--{name}", "hunter2", "x.csv"], [f"--{name}=hunter2", "x.csv"], [f"{name}=hunter2", "x.csv"]):
        assert params_of(arguments) == {}
        hidden = masked(arguments)
        assert "hunter2" not in " ".join(hidden)
        assert hidden[-1] == "x.csv"


@pytest.mark.parametrize("name", ["max_tokens", "token-dim", "key_size", "tokenizer", "monkey", "author", "num-keys"])
def test_ordinary_names_are_not_taken_for_secrets(name):
    assert not is_secret_name(name)
    assert params_of([f"--{name}", "3"]) == {name.replace("-", "_"): "3"}


def test_all_values_after_a_plural_secret_are_masked():
    assert masked(["--passwords", "a", "b", "--depth", "4"]) == ["--passwords", "***", "***", "--depth", "4"]


def test_passwords_in_urls_are_masked():
    assert params_of(["--db", "postgresql://me:pw@host:5432/d"]) == {"db": "postgresql://me:***@host:5432/d"}
    assert masked(["postgresql://me:p/w@host/d"]) == ["postgresql://me:***@host/d"]
    assert without_password("http://host:80/a@b") == "http://host:80/a@b"
    assert without_credentials("../elsewhere") == "../elsewhere"


def test_values_that_can_not_be_kept_are_left_out():
    assert params_of(["--a", "\udcff", "--b", "x\0y", "--c", "x" * 100_000, "--d", "1", "--" + "e" * 300]) == {"d": "1"}


@settings(deadline=None)
@given(st.lists(st.text(max_size=12)))
def test_no_arguments_can_break_it(arguments):
    assert all(isinstance(value, str) for value in params_of(arguments).values())
    hidden = masked(arguments)
    assert len(hidden) == len(arguments)
    for text in hidden:
        text.encode()


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[b-d]{2,8}", fullmatch=True), st.integers().map(str)))
def test_names_and_numbers_survive_in_each_form(params):
    assert params_of([part for name, value in params.items() for part in (f"--{name}", value)]) == params
    assert params_of([f"--{name}={value}" for name, value in params.items()]) == params


def test_the_command_line_of_this_process(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py", "--token", "x", "caf\udce9"])
    monkeypatch.chdir(tmp_path)
    found = command_line()
    assert found["argv"] == ["train.py", "--token", "***", "caf\ufffd"]
    assert found["folder"] == str(tmp_path)
    assert found["script"] is None or os.path.isabs(found["script"])


def test_a_working_folder_that_is_gone_is_none(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert command_line()["folder"] is None

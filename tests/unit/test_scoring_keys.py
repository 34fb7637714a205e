"""Keys come from a file, which may change, or from the environment; without any a service does not start."""

import json
import os

import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.scoring.keys import Keys, keys_of


def write(file, **keys):
    new = file.with_suffix(".new")
    new.write_text(json.dumps(keys))
    os.replace(new, file)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "keys.json"
    write(file, primary="one", secondary="two")
    return file


def test_both_keys_are_accepted_and_no_other(file):
    keys = Keys((), file=file)
    assert [keys.accept(key) for key in (b"one", b"two", b"three", b"", b"on", "\N{SNOWMAN}".encode())] == [
        True
    ] * 2 + [False] * 4


def test_a_new_key_is_accepted_at_once_and_an_old_one_refused_at_the_next_look(file):
    keys = Keys((), file=file)
    write(file, primary="new", secondary="two")
    assert keys.accept(b"two")
    assert keys.accept(b"new")
    assert not keys.accept(b"one")
    write(file, primary="newer", secondary="two")
    keys.look()
    assert not keys.accept(b"new")


def test_keys_known_before_stay_while_the_file_is_missing_or_broken(file):
    keys = Keys((), file=file)
    file.unlink()
    keys.look()
    assert keys.accept(b"one")
    file.write_text("{")
    keys.look()
    assert keys.accept(b"one")


@pytest.mark.parametrize("content", ["{}", "[]", '{"primary": 5}', '{"primary": ""}', "x"])
def test_a_file_without_keys_is_refused(tmp_path, content):
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(InvalidArgument, match=r"can't be read from keys\.json"):
        Keys((), file=file)


def test_keys_of_the_environment_are_taken_out_of_it():
    environment = {"AMLSDK_PRIMARY_KEY": "one", "AMLSDK_SECONDARY_KEY": "two"}
    keys = keys_of(None, environment, wanted=True)
    assert keys.accept(b"one")
    assert keys.accept(b"two")
    assert not keys.accept(b"")
    assert environment == {}


def test_one_key_of_the_environment_is_enough_and_an_empty_one_is_none():
    keys = keys_of(None, {"AMLSDK_PRIMARY_KEY": "one", "AMLSDK_SECONDARY_KEY": ""}, wanted=True)
    assert not keys.accept(b"")


def test_without_keys_a_service_is_refused_unless_that_is_said():
    with pytest.raises(InvalidArgument, match="AMLSDK_KEYS=off"):
        keys_of(None, {}, wanted=True)
    assert keys_of(None, {"AMLSDK_KEYS": "off"}, wanted=True) is None
    assert keys_of(None, {}, wanted=False) is None


def test_the_environment_may_name_a_file(file):
    assert keys_of(None, {"AMLSDK_KEYS_FILE": str(file)}, wanted=True).accept(b"two")

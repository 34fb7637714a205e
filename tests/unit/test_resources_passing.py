"""The line that says where work stands is seen by people and by nobody else."""

import io
import sys
import types

import pytest

from amlsdk.resources import passing
from amlsdk.resources.passing import PassingLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(passing, "_EVERY_S", 0.0)


@pytest.fixture
def error_terminal(monkeypatch):
    """Makes standard error a terminal; to be called in the test, as the capture of output takes its place before."""

    def make():
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        return terminal

    return make


def test_a_terminal_has_one_line_that_is_taken_away(error_terminal):
    terminal = error_terminal()
    with PassingLine(None) as line:
        line.show("half")
        line.show("whole")
    assert terminal.getvalue() == "\r\x1b[2Khalf\r\x1b[2Kwhole\r\x1b[2K"


def test_what_is_no_terminal_gets_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with PassingLine(None) as line:
        line.show("half")
    with PassingLine(stream) as line:
        line.show("half")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("replaced", [None, object()])
def test_a_program_without_standard_streams_is_no_error(monkeypatch, replaced):
    monkeypatch.setattr(sys, "stderr", replaced)
    with PassingLine(None) as line:
        line.show("half")


def test_whoever_does_not_want_it_has_none(error_terminal):
    terminal = error_terminal()
    with PassingLine(None, wanted=False) as line:
        line.show("half")
    assert terminal.getvalue() == ""


def test_a_line_is_not_written_more_often_than_eyes_follow(monkeypatch, error_terminal):
    terminal = error_terminal()
    monkeypatch.setattr(passing, "_EVERY_S", 3600.0)
    with PassingLine(None) as line:
        line.show("half")
    assert terminal.getvalue() == ""


def test_a_notebook_has_one_display_that_is_updated(monkeypatch):
    shown = []

    class Handle:
        def update(self, content, *, raw):
            shown.append(("update", content["text/plain"], raw))

    def display(content, *, raw, display_id):
        shown.append(("display", content["text/plain"], raw))
        return Handle()

    notebook = types.ModuleType("IPython.display")
    notebook.display = display
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    with PassingLine(None) as line:
        line.show("half")
        line.show("whole")
    assert shown == [("display", "half", True), ("update", "whole", True), ("update", "", True)]

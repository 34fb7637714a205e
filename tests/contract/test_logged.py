"""Context, files, rows and inputs of runs."""

import pytest
from making import make_run
from test_journals import journal, send

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.runs import GetRunContext, ListRunFiles, ListRunInputs, ListRunRows
from amlsdk.records.ids import new_id
from amlsdk.records.logged import InputRecord, RunContextRecord, RunFileRecord

LISTS = [ListRunFiles, ListRunRows, ListRunInputs]


def a_file(path, digit="a", **fields):
    return RunFileRecord(path=path, kind="output", digest=digit * 64, size_bytes=3, **fields)


def an_input(name, **fields):
    return InputRecord(**{"name": name, "digest": "b" * 64, "kind": "file", "source": "/data/a.csv", **fields})


def logged(service, folder, write):
    run = make_run(service)
    send(service, run.id, *journal(folder, run, write))
    return run


def whole(service, request, run, **fields):
    items, after = [], None
    while True:
        page = service.send(request(run_id=run.id, after=after, **fields))
        assert len(page.items) <= fields.get("limit", 1000)
        items += page.items
        after = page.next_token
        if after is None:
            return items


def test_a_run_that_logged_nothing_has_empty_lists(service):
    run = make_run(service)
    assert service.send(GetRunContext(run_id=run.id)) == RunContextRecord(values={})
    assert [whole(service, request, run) for request in LISTS] == [[], [], []]


def test_context_is_read_by_topic(service, tmp_path):
    values = {"git": {"commit": "abc", "dirty": False}, "packages": {"numpy": "2.0"}, "command": ["a", None, 1.5]}
    run = logged(service, tmp_path, lambda writer: writer.context(values))
    assert service.send(GetRunContext(run_id=run.id)).values == values


def test_files_are_listed_by_path_each_as_it_was_logged_last(service, tmp_path):
    def write(writer):
        writer.file(a_file("outputs/b", "1"))
        writer.file(a_file("outputs/a", mode="executable"))
        writer.file(a_file("outputs/b", "2"))

    run = logged(service, tmp_path, write)
    assert whole(service, ListRunFiles, run) == [a_file("outputs/a", mode="executable"), a_file("outputs/b", "2")]


def test_files_are_listed_below_a_prefix_letter_by_letter(service, tmp_path):
    def write(writer):
        for path in ("outputs/a", "Outputs/b", "out_uts/c", "tables/%"):
            writer.file(a_file(path))

    run = logged(service, tmp_path, write)
    assert [item.path for item in whole(service, ListRunFiles, run, prefix="out")] == ["out_uts/c", "outputs/a"]
    assert [item.path for item in whole(service, ListRunFiles, run, prefix="out_")] == ["out_uts/c"]
    assert [item.path for item in whole(service, ListRunFiles, run, prefix="tables/%")] == ["tables/%"]


def test_rows_are_listed_in_the_order_they_were_logged(service, tmp_path):
    def write(writer):
        for number in range(30):
            writer.row("losses", {"epoch": number, "values": [number], "by": "ada"})
            writer.row("other", {"epoch": -1})

    run = logged(service, tmp_path, write)
    found = [item.values["epoch"] for item in whole(service, ListRunRows, run, name="losses", limit=7)]
    assert found == list(range(30))
    assert len(whole(service, ListRunRows, run)) == 60


def test_inputs_are_listed_by_name_with_schema_and_profile(service, tmp_path):
    inputs = [
        an_input("a", kind="frame", schema=[{"name": "x", "type": "number"}], profile={"rows": 3}, size_bytes=9),
        an_input("b", source=f"run:{new_id()}/outputs/a.csv"),
    ]

    def write(writer):
        for item in reversed(inputs):
            writer.input(item)

    run = logged(service, tmp_path, write)
    assert whole(service, ListRunInputs, run) == inputs


@pytest.mark.parametrize("request_class", LISTS)
def test_pages_go_on_where_the_last_one_ended(service, tmp_path, request_class):
    def write(writer):
        for number in range(11):
            writer.file(a_file(f"outputs/{number:02}"))
            writer.input(an_input(f"i{number:02}"))
            writer.row("t", {"number": number})

    run = logged(service, tmp_path, write)
    one_page = whole(service, request_class, run)
    assert len(one_page) == 11
    assert all(whole(service, request_class, run, limit=limit) == one_page for limit in (1, 4, 10, 11, 12))


@pytest.mark.parametrize("request_class", LISTS)
@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 10_001}, {"after": "nonsense"}])
def test_a_wrong_page_is_refused(service, request_class, fields):
    run = make_run(service)
    with pytest.raises(InvalidArgument):
        service.send(request_class(run_id=run.id, **fields))


@pytest.mark.parametrize("request_class", [GetRunContext, *LISTS])
def test_what_an_unknown_run_logged_is_not_found(service, request_class):
    with pytest.raises(NotFound, match="no run"):
        service.send(request_class(run_id=new_id()))

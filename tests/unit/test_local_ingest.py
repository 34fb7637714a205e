"""Journals of the folder on their way into the catalogue."""

import logging
import math
import os
import random

import pytest

from amlsdk.journal.writer import JournalWriter
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun, DeleteRun, GetRun, GetRunContext, ReadSeries, SearchRuns
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.series import unpack
from amlsdk.storage.catalogue.schema import series_chunk


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(tmp_path / "workspace")
    yield backend
    backend.close()


@pytest.fixture
def service(backend):
    return backend.open()


@pytest.fixture
def run(service):
    project = service.send(CreateProject(id=new_id(), name="wine"))
    experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="train"))
    return service.send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process()))


@pytest.fixture
def writer(backend, run):
    writer = JournalWriter(backend.spool.journals, run.id)
    yield writer
    writer.close()


def read(service, run):
    return service.send(GetRun(run_id=run.id))


def values(service, run, name="loss"):
    return list(unpack(service.send(ReadSeries(run_id=run.id, name=name)).read()).values)


def test_a_point_is_read_as_soon_as_it_was_logged(service, run, writer):
    for count in range(1, 6):
        writer.metric("loss", count)
        assert read(service, run).metrics["loss"].count == count
        assert values(service, run) == list(range(1, count + 1))


def test_a_journal_stays_while_its_process_may_write_and_goes_when_it_ended(service, run, writer):
    writer.metric("loss", 1)
    read(service, run)
    assert writer.path.exists()
    writer.close()
    read(service, run)
    assert not writer.path.exists()
    assert values(service, run) == [1]


def test_a_run_that_is_read_after_every_point_has_one_chunk(backend, service, run, writer):
    for step in range(300):
        writer.metric("loss", step)
        read(service, run)
    with backend.database.read() as connection:
        assert [row.count for row in connection.execute(series_chunk.select())] == [300]
    assert values(service, run) == list(range(300))


def test_a_full_chunk_is_not_written_again(backend, service, run, writer):
    for part in range(3):
        for step in range(5000):
            writer.metric("loss", step, step=5000 * part + step)
        read(service, run)
    with backend.database.read() as connection:
        assert [row.count for row in connection.execute(series_chunk.select())] == [5000] * 3
    assert values(service, run) == list(range(5000)) * 3


def test_more_metrics_than_a_statement_takes_parameters_are_kept(service, run, writer):
    for part in range(2):
        writer.metrics({f"m{number}": number + part for number in range(1200)})
        read(service, run)
    metrics = read(service, run).metrics
    assert len(metrics) == 1200
    assert all(metrics[f"m{number}"].last == number + 1 and metrics[f"m{number}"].count == 2 for number in range(1200))


def test_the_summary_is_that_of_all_points_of_all_writers_in_whatever_pieces_they_came(backend, service, run):
    chance = random.Random(5)
    writers = [JournalWriter(backend.spool.journals, run.id) for _ in range(3)]
    logged = []
    for place in range(400):
        by = chance.randrange(3)
        step, time_us = chance.randrange(20), 1_000 + chance.randrange(5)
        value = chance.choice([math.nan, math.inf, -math.inf, chance.uniform(-9, 9)])
        writers[by].metric("loss", value, step=step, time_us=time_us)
        logged.append((step, time_us, writers[by].writer, place, value))
        if chance.random() < 0.1:
            read(service, run)
    logged.sort(key=lambda point: point[:4])
    summary = read(service, run).metrics["loss"]
    numbers = [point[4] for point in logged if not math.isnan(point[4])]
    assert (summary.count, summary.last_step) == (400, logged[-1][0])
    assert repr(summary.last) == repr(logged[-1][4])
    assert (summary.min, summary.max) == (min(numbers), max(numbers))
    assert list(map(repr, values(service, run))) == [repr(point[4]) for point in logged]
    for writer in writers:
        writer.close()


def test_a_metric_of_nothing_but_nan_has_nan_extremes(service, run, writer):
    writer.metric("loss", math.nan)
    summary = read(service, run).metrics["loss"]
    assert list(map(math.isnan, (summary.last, summary.min, summary.max))) == [True] * 3


def test_the_latest_param_and_tag_stay_and_removed_tags_are_gone(service, run, writer):
    for text in ("3", "4"):
        writer.param("depth", text)
        writer.tag("owner", text)
        writer.tag("gone", text)
    read(service, run)
    writer.tag("gone", None)
    found = read(service, run)
    assert (found.params, found.tags) == ({"depth": "4"}, {"owner": "4"})


@pytest.mark.parametrize(("status", "error"), [("Completed", None), ("Failed", "no memory"), ("Canceled", "enough")])
def test_an_interactive_run_ends_as_its_process_says(service, run, writer, status, error):
    writer.status(status, error)
    found = read(service, run)
    assert (found.status, found.error) == (status, error)
    assert [state.status for state in found.states] == ["Running", status]
    assert found.ended_at == found.states[-1].at >= found.started_at


def test_a_run_ends_once_but_takes_points_after_its_end(service, run, writer):
    writer.status("Completed")
    read(service, run)
    writer.status("Failed", "late")
    writer.metric("loss", 1)
    found = read(service, run)
    assert (found.status, found.error, found.metrics["loss"].count) == ("Completed", None, 1)


def test_context_is_merged_by_topic_and_notes_are_appended(service, run, writer):
    writer.context({"git": {"commit": "a"}, "python": "3.10"})
    read(service, run)
    writer.context({"git": {"dirty": True}, "python": "3.11"})
    writer.note("one")
    read(service, run)
    writer.note("two")
    found = service.send(GetRunContext(run_id=run.id)).values
    assert (found["git"], found["python"]) == ({"commit": "a", "dirty": True}, "3.11")
    assert [note["text"] for note in found["notes"]] == ["one", "two"]


def test_a_search_sees_what_all_runs_logged(service, run, writer):
    writer.metric("loss", 0.5)
    found = service.send(SearchRuns(filter="metrics.loss = 0.5"))
    assert [item.id for item in found.items] == [run.id]


def test_the_journal_of_a_deleted_run_is_set_aside_and_harms_no_search(backend, service, run, writer, caplog):
    writer.status("Completed")
    writer.metric("loss", 1)
    content = writer.path.read_bytes()
    writer.close()
    read(service, run)
    service.send(DeleteRun(run_id=run.id))
    writer.path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "amlsdk"):
        assert service.send(SearchRuns()).items == ()
    assert [path.suffix for path in backend.spool.journals.glob(f"{run.id}*")] == [".orphan"]
    assert "set aside" in caplog.text


def test_a_journal_of_an_unknown_run_that_is_being_written_is_left_alone(backend, service):
    writer = JournalWriter(backend.spool.journals, new_id())
    writer.metric("loss", 1)
    service.send(SearchRuns())
    assert writer.path.exists()
    writer.close()


def test_another_file_under_the_name_of_a_journal_is_set_aside(backend, service, run, writer):
    writer.metric("loss", 1)
    writer.close()
    content = writer.path.read_bytes()
    read(service, run)
    writer.path.write_bytes(content.replace(b'"loss"', b'"loss2"')[: len(content)])
    read(service, run)
    assert [path.suffix for path in backend.spool.journals.glob(f"{run.id}*")] == [".conflict"]
    assert read(service, run).metrics.keys() == {"loss"}


def test_an_empty_journal_that_was_just_made_is_left_to_its_writer(backend, service, run):
    path = backend.spool.journals / f"{run.id}.{'0' * 16}.jsonl"
    path.touch()
    read(service, run)
    assert path.exists()
    os.utime(path, (1, 1))
    read(service, run)
    assert not path.exists()


def test_a_workspace_that_can_only_be_read_is_read_as_it_is(backend, service, run, writer):
    writer.metric("loss", 1)
    backend.database.read_only = True
    assert read(service, run).metrics == {}
    assert writer.path.exists()
    backend.database.read_only = False
    assert read(service, run).metrics["loss"].count == 1

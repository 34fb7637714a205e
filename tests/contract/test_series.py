"""Points of metrics, read back in order."""

import math

import pytest
from making import make_run
from test_journals import journal, send

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.runs import ReadSeries
from amlsdk.records.ids import new_id
from amlsdk.records.series import unpack


def log(service, folder, run, points, name="loss"):
    def write(writer):
        for step, time_us, value in points:
            writer.metric(name, value, step=step, time_us=time_us)

    send(service, run.id, *journal(folder, run, write))


def read(service, run, name="loss", **fields):
    series = unpack(service.send(ReadSeries(run_id=run.id, name=name, **fields)).read())
    return list(zip(series.steps, series.times_us, series.values, strict=True))


def test_points_come_back_as_they_were_logged(service, tmp_path):
    run = make_run(service)
    points = [(step, 1_700_000_000_000_000 + 7 * step, step / 3) for step in range(2000)]
    log(service, tmp_path, run, points)
    assert read(service, run) == points


def test_values_that_are_not_finite_are_kept(service, tmp_path):
    run = make_run(service)
    log(service, tmp_path, run, [(0, 1, math.inf), (1, 1, -math.inf), (2, 1, math.nan)])
    assert [str(value) for _, _, value in read(service, run)] == ["inf", "-inf", "nan"]


def test_extreme_steps_and_times_are_kept(service, tmp_path):
    run = make_run(service)
    points = [(-(1 << 63), 1 << 62, 1.0), (0, 0, 2.0), ((1 << 63) - 1, -1, 3.0)]
    log(service, tmp_path, run, points)
    assert read(service, run) == points


def test_points_of_several_writers_are_ordered_by_step_then_time(service, tmp_path):
    run = make_run(service)
    log(service, tmp_path, run, [(0, 5, 0.0), (2, 5, 4.0), (1, 9, 3.0)])
    log(service, tmp_path, run, [(1, 5, 1.0), (1, 6, 2.0), (3, 1, 5.0)])
    assert [value for _, _, value in read(service, run)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_point_logged_again_at_one_step_and_time_comes_after_the_first(service, tmp_path):
    run = make_run(service)
    log(service, tmp_path, run, [(1, 1, 9.0), (1, 1, 3.0), (1, 1, 5.0)])
    assert [value for _, _, value in read(service, run)] == [9.0, 3.0, 5.0]


def test_metrics_do_not_mix(service, tmp_path):
    run = make_run(service)
    log(service, tmp_path, run, [(0, 1, 1.0)], name="a")
    log(service, tmp_path, run, [(0, 1, 2.0)], name="val/acc é")
    assert read(service, run, "val/acc é") == [(0, 1, 2.0)]


def test_few_points_keep_ends_and_extremes(service, tmp_path):
    run = make_run(service)
    values = [math.sin(step / 50) for step in range(5000)]
    values[1234], values[4321] = 50.0, -50.0
    log(service, tmp_path, run, [(step, step, value) for step, value in enumerate(values)])
    few = read(service, run, max_points=100)
    assert 50 <= len(few) <= 100
    assert (few[0][0], few[-1][0]) == (0, 4999)
    assert {50.0, -50.0} <= {value for _, _, value in few}


def test_a_metric_that_was_never_logged_is_not_found(service):
    run = make_run(service)
    with pytest.raises(NotFound, match="no metric 'loss'"):
        read(service, run)


def test_a_series_of_an_unknown_run_is_not_found(service):
    with pytest.raises(NotFound, match="no run"):
        service.send(ReadSeries(run_id=new_id(), name="loss"))


def test_no_points_at_all_can_not_be_asked_for(service, tmp_path):
    run = make_run(service)
    log(service, tmp_path, run, [(0, 1, 1.0)])
    with pytest.raises(InvalidArgument, match="max_points"):
        read(service, run, max_points=0)
    assert read(service, run, max_points=1) == [(0, 1, 1.0)]

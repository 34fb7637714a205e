"""Runs are found by what they are and what they logged, with the same words and faults in every mode."""

import math

import pytest
from making import make_experiment, make_project, make_run

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.writer import JournalWriter
from amlsdk.operations.runs import AppendJournal, SearchRuns
from amlsdk.records.ids import new_id
from amlsdk.records.streams import ByteStream


def log(service, folder, run, **metrics):
    writer = JournalWriter(folder, run.id)
    for name, value in metrics.items():
        writer.metric(name, value)
    writer.close()
    content = ByteStream.of(writer.path.read_bytes())
    start = PrefixDigest().hexdigest()
    service.send(AppendJournal(run_id=run.id, writer=writer.writer, offset=0, digest=start, content=content))


def names(service, **asked):
    return [run.name for run in service.send(SearchRuns(**asked)).items]


def test_runs_are_filtered_by_params_tags_and_attributes(service):
    experiment = make_experiment(service)
    for depth in (2, 4, 10):
        make_run(service, experiment, name=f"d{depth}", params={"depth": str(depth)}, tags={"a tag": "it's"})
    assert names(service, filter="params.depth > 3") == ["d10", "d4"]
    assert names(service, filter="params.depth > '3' and tags.`a tag` = 'it''s'") == ["d4"]
    assert names(service, filter="status = 'Running' and not params.depth in (4, '10')") == ["d2"]
    assert names(service, filter="started_at < '2020-01-01'") == []


def test_runs_are_filtered_and_ordered_by_metrics_with_nan_and_missing_last(service, tmp_path):
    experiment = make_experiment(service)
    values = {"low": 0.25, "none": None, "high": math.inf, "nan": math.nan, "mid": 0.5}
    for name, value in values.items():
        run = make_run(service, experiment, name=name)
        if value is not None:
            log(service, tmp_path, run, **{"val/loss": value})
    asked = {"experiment_id": experiment.id}
    assert names(service, order_by="metrics.val/loss", **asked) == ["low", "mid", "high", "nan", "none"]
    assert names(service, order_by="metrics.val/loss desc", **asked) == ["high", "mid", "low", "nan", "none"]
    assert names(service, filter="metrics.val/loss >= 0.5", **asked) == ["mid", "high"]
    assert names(service, filter="metrics.`val/loss` = nan", **asked) == ["nan"]
    assert names(service, filter="metrics.val/loss is null", **asked) == ["none"]
    assert names(service, filter="min(metrics.val/loss) < 0.5 and count(metrics.val/loss) = 1") == ["low"]


def test_pages_follow_each_other_without_a_gap(service, tmp_path):
    experiment = make_experiment(service)
    for number in range(7):
        run = make_run(service, experiment, name=f"r{number}")
        if number < 5:
            log(service, tmp_path, run, a=number % 2)
    asked = {"experiment_id": experiment.id, "order_by": "metrics.a desc"}
    found, after = [], None
    while after is not None or not found:
        page = service.send(SearchRuns(limit=2, after=after, **asked))
        found += [run.name for run in page.items]
        after = page.next_token
    assert found == ["r3", "r1", "r4", "r2", "r0", "r6", "r5"]


def test_a_search_is_of_an_experiment_a_project_or_a_parent(service):
    project = make_project(service)
    first, second = (make_experiment(service, name, project) for name in ("a", "b"))
    other = make_experiment(service, project=make_project(service, "beer"))
    parent = make_run(service, first, name="parent")
    make_run(service, second, name="child", parent_id=parent.id)
    make_run(service, other, name="other")
    assert names(service) == ["other", "child", "parent"]
    assert names(service, experiment_id=first.id) == ["parent"]
    assert names(service, project_id=project.id) == ["child", "parent"]
    assert names(service, parent_id=parent.id) == ["child"]


@pytest.mark.parametrize("scope", ["experiment_id", "project_id", "parent_id"])
def test_a_scope_must_exist(service, scope):
    missing = new_id()
    with pytest.raises(NotFound, match=missing):
        service.send(SearchRuns(**{scope: missing}))


def test_a_wrong_filter_is_shown_with_the_place(service):
    with pytest.raises(InvalidArgument) as caught:
        service.send(SearchRuns(filter="kind = 'x' and metric.loss < 1"))
    assert str(caught.value) == (
        "filter, character 16: 'metric' holds no names; did you mean metrics.loss?\n"
        "  kind = 'x' and metric.loss < 1\n"
        "                 ^"
    )


@pytest.mark.parametrize("fields", [{"order_by": "loss"}, {"limit": 0}, {"limit": 10_001}, {"after": "no token"}])
def test_a_wrong_order_limit_or_token_is_refused(service, fields):
    with pytest.raises(InvalidArgument):
        service.send(SearchRuns(**fields))


def test_a_token_goes_on_only_with_its_own_search(service):
    experiment = make_experiment(service)
    for _ in range(2):
        make_run(service, experiment)
    token = service.send(SearchRuns(limit=1)).next_token
    with pytest.raises(InvalidArgument, match="belongs to another search"):
        service.send(SearchRuns(limit=1, after=token, filter="kind = 'x'"))

"""A search reads an index in order, or begins with few runs, so that it does not grow with what there is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from search_model import random_runs, write_runs, write_scopes

from amlsdk.operations.runs import SearchRuns
from amlsdk.storage.catalogue import migrating, search_seeds
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.filter_terms import required
from amlsdk.storage.catalogue.filters import parse_filter
from amlsdk.storage.catalogue.search import search_runs
from amlsdk.storage.catalogue.search_scope import Scope
from amlsdk.storage.catalogue.search_seeds import seed_of

EXPERIMENT = Scope("e1", None, None)


@pytest.fixture
def connection(tmp_path, monkeypatch):
    # Few is at most four for each run wanted, also in this small world.
    monkeypatch.setattr(search_seeds, "_LEAST_BOUND", 0)
    database = Database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    migrating.create(database)
    with database.write() as connection:
        write_scopes(connection, 1)
        write_runs(connection, random_runs(1, 60))
    with database.read() as connection:
        yield connection
    database.close()


def plan_of(connection, **asked):
    """How SQLite reads the first query that is in an order."""
    sent = []

    def keep(_connection, _cursor, statement, parameters, *_):
        sent.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", keep)
    try:
        search_runs(connection, SearchRuns(**{"experiment_id": "e1", "limit": 1, **asked}))
    finally:
        sa.event.remove(connection, "before_cursor_execute", keep)
    statement, parameters = next((text, values) for text, values in sent if "ORDER BY" in text)
    return "\n".join(row[-1] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters))


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "ix_run_experiment_id_pk"),
        ({"order_by": "metrics.loss desc"}, "ix_metric_experiment_id_name_last_run_pk"),
        ({"order_by": "params.depth desc"}, "ix_param_experiment_id_name_number_run_pk"),
        ({"order_by": "tags.depth desc"}, "ix_tag_experiment_id_name_number_run_pk"),
        ({"order_by": "started_at desc"}, "ix_run_experiment_id_started_at"),
        ({"order_by": "status desc"}, "ix_run_experiment_id_status_pk"),
        ({"order_by": "name desc"}, "ix_run_experiment_id_name"),
        ({"order_by": "metrics.loss desc", "experiment_id": None}, "ix_metric_name_last_run_pk"),
        ({"order_by": "metrics.loss desc", "experiment_id": None, "project_id": "p1"}, "ix_metric_name_last_run_pk"),
    ],
)
@pytest.mark.parametrize(
    "term", [None, "kind != 'x' and metrics.and is null", "started_at > '2020-01-01' or number > 1"]
)
def test_an_order_by_one_key_is_read_from_its_index_whatever_else_is_asked(connection, asked, index, term):
    plan = plan_of(connection, filter=term, **asked)
    assert f"INDEX {index} " in plan.splitlines()[0]
    assert "TEMP B-TREE" not in plan


def test_terms_on_the_key_bound_the_index(connection):
    plan = plan_of(connection, filter="metrics.loss > 0.2 and metrics.loss <= 1", order_by="metrics.loss desc")
    assert "(experiment_id=? AND name=? AND last>? AND last<?)" in plan


def test_a_later_page_begins_in_the_index_where_the_page_before_ended(connection):
    asked = {"order_by": "metrics.loss desc", "limit": 3, "experiment_id": "e1"}
    token = search_runs(connection, SearchRuns(**asked)).next_token
    assert "(experiment_id=? AND name=? AND last>? AND last<?)" in plan_of(connection, after=token, **asked)


def test_few_runs_are_looked_up_by_their_numbers(connection):
    plan = plan_of(connection, filter="id in ('id3', 'id4') and status = 'Completed'", order_by="metrics.loss")
    assert "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)" in plan.splitlines()[0]


@pytest.mark.parametrize("term", ["id = 'id7'", "params.depth = '4' and name = 'a'", "metrics.`val loss` > 1e299"])
def test_a_search_begins_with_a_term_that_few_runs_satisfy(connection, term):
    assert seed_of(connection, required(parse_filter(term)), EXPERIMENT, limit=5, dialect="sqlite") is not None


@pytest.mark.parametrize(
    "term",
    [
        "status != 'Nothing'",
        "kind = 'nothing'",
        "params.depth is not null",
        "id != 'id7'",
        "id not in ('id7')",
        "not id = 'id7'",
        "id = 'id7' or id = 'id8'",
        "min(metrics.loss) = 77",
        "params.depth like 'zz%'",
        "started_at is null",
    ],
)
def test_a_search_does_not_begin_with_a_term_of_many_runs_or_of_no_index(connection, term):
    assert seed_of(connection, required(parse_filter(term)), EXPERIMENT, limit=5, dialect="sqlite") is None

"""The search of runs: scopes, order, pages and bounds."""

from __future__ import annotations

import math
import time

import pytest
import sqlalchemy as sa
from postgres_server import ON_SERVER
from search_model import ModelRun, write_runs, write_scopes
from sqlalchemy.dialects import postgresql

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.runs import SearchRuns
from amlsdk.storage.catalogue import migrating, schema, search
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.filter_sql import condition_sql
from amlsdk.storage.catalogue.filters import parse_filter
from amlsdk.storage.catalogue.orderings import parse_order
from amlsdk.storage.catalogue.search_keys import past, sorted_runs


@pytest.fixture(params=["sqlite", ON_SERVER])
def database(request, tmp_path):
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_catalogue")
    else:
        database = Database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
        migrating.create(database)
    with database.write() as connection:
        write_scopes(connection, 1, 2)
    yield database
    if request.param == "sqlite":
        database.close()


def make_run(pk, *, metrics=None, params=None, tags=None, **attributes):
    fields = {"id": f"id{pk}", "number": pk, "name": "n", "status": "Completed", "kind": "interactive", "user": "u"}
    fields |= {"target": None, "error": None, "parent_id": None, "created_at": pk, "started_at": pk, "ended_at": None}
    summaries = {name: (1, value, value, value) for name, value in (metrics or {}).items()}
    return ModelRun(
        pk=pk,
        attributes={**fields, "exit_code": None, "duration_s": None, **attributes},
        metrics=summaries,
        params=params or {},
        tags=tags or {},
    )


def add(database, *runs, experiment_id="e1"):
    with database.write() as connection:
        write_runs(connection, runs, experiment_id)


def find(database, **asked):
    with database.read() as connection:
        page = search.search_runs(connection, SearchRuns(**asked))
    return [record.number for record in page.items], page.next_token


def numbers(database, **asked):
    return find(database, **asked)[0]


def test_runs_come_with_their_metrics_params_and_tags(database):
    add(database, make_run(1, metrics={"a": 0.5, "b": math.nan}, params={"depth": "4"}, tags={"owner": "x"}))
    with database.read() as connection:
        (record,) = search.search_runs(connection, SearchRuns(filter="metrics.a < 1", order_by="metrics.a")).items
    assert record.id == "id1"
    assert record.metrics["a"].last == 0.5
    assert math.isnan(record.metrics["b"].last)
    assert dict(record.params) == {"depth": "4"}
    assert dict(record.tags) == {"owner": "x"}


def test_the_newest_run_comes_first_unless_another_order_is_asked_for(database):
    add(database, *(make_run(pk) for pk in (1, 2, 3)))
    assert numbers(database) == [3, 2, 1]
    assert numbers(database, order_by="number") == [1, 2, 3]


def test_a_search_is_of_an_experiment_a_project_a_parent_or_of_all(database):
    add(database, make_run(1), make_run(2, parent_id="id1"), make_run(3))
    add(database, make_run(4, parent_id="id1"), make_run(5), experiment_id="e2")
    for order in (None, "metrics.a", "params.a desc", "started_at desc", "name"):
        assert sorted(numbers(database, order_by=order)) == [1, 2, 3, 4, 5]
        assert sorted(numbers(database, order_by=order, experiment_id="e1")) == [1, 2, 3]
        assert sorted(numbers(database, order_by=order, project_id="p2")) == [4, 5]
        assert sorted(numbers(database, order_by=order, parent_id="id1")) == [2, 4]
        assert sorted(numbers(database, order_by=order, parent_id="id1", experiment_id="e2")) == [4]
        assert numbers(database, order_by=order, project_id="p2", experiment_id="e1") == []
        assert numbers(database, order_by=order, filter="id = 'id4'", experiment_id="e1") == []


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({"experiment_id": "e9"}, "experiment 'e9'"),
        ({"project_id": "p9"}, "project 'p9'"),
        ({"parent_id": "id9"}, "run 'id9'"),
        ({"experiment_id": "e1", "project_id": ""}, "project ''"),
    ],
)
def test_a_scope_that_does_not_exist_is_not_found(database, scope, words):
    with pytest.raises(NotFound, match=f"runs of the {words} were asked for"):
        find(database, **scope)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_page_has_1_to_10000_runs(database, limit):
    with pytest.raises(InvalidArgument, match="1 to 10000"):
        find(database, limit=limit)


def test_missing_and_nan_come_last_in_both_directions_and_equal_values_newest_first(database):
    values = {1: 0.5, 2: math.nan, 3: None, 4: math.inf, 5: 0.5, 6: -math.inf, 7: math.nan, 8: None}
    add(database, *(make_run(pk, metrics={} if v is None else {"a": v}) for pk, v in values.items()))
    ascending, descending = [6, 5, 1, 4, 8, 7, 3, 2], [4, 5, 1, 6, 8, 7, 3, 2]
    for scope in ({"experiment_id": "e1"}, {"project_id": "p1"}, {}):
        for more in ("", ", metrics.none"):
            assert numbers(database, order_by="metrics.a asc" + more, **scope) == ascending
            assert numbers(database, order_by="metrics.a desc" + more, **scope) == descending


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("metrics.a = nan", [3, 2]),
        ("metrics.a != nan", [1, 4]),
        ("metrics.a in (0.25, nan)", [1, 3, 2]),
        ("metrics.a not in (0.25, nan)", [4]),
        ("metrics.a is not null", [1, 4, 3, 2]),
        ("metrics.a is null", [5]),
        ("not metrics.a > 0.3", [1, 5, 3, 2]),
        ("metrics.a > 0.3", [4]),
        ("metrics.a > 0.3 or id = 'id5'", [4, 5]),
    ],
)
def test_a_term_on_the_key_of_the_order_loses_no_run_that_is_nan_or_missing(database, term, expected):
    values = {1: 0.25, 2: math.nan, 3: math.nan, 4: 0.5, 5: None}
    add(database, *(make_run(pk, metrics={} if v is None else {"a": v}) for pk, v in values.items()))
    assert numbers(database, filter=term, order_by="metrics.a", experiment_id="e1") == expected


def test_of_params_numbers_come_before_texts_and_texts_before_what_is_missing(database):
    values = {1: "10", 2: "9", 3: "b", 4: None, 5: "a", 6: "9.0", 7: "inf"}
    add(database, *(make_run(pk, params={} if v is None else {"a": v}) for pk, v in values.items()))
    for more in ("", ", metrics.none"):
        assert numbers(database, order_by="params.a" + more) == [6, 2, 1, 5, 3, 7, 4]
        assert numbers(database, order_by="params.a desc" + more) == [1, 6, 2, 7, 3, 5, 4]


def test_a_param_compares_as_a_number_with_a_number_and_as_a_text_with_a_text(database):
    add(database, *(make_run(pk, params={"a": v}) for pk, v in enumerate(("10", "9", "9.0", "x"), start=1)))
    assert numbers(database, filter="params.a < 10") == [3, 2]
    assert numbers(database, filter="params.a < '9'") == [1]
    assert numbers(database, filter="params.a = 9") == [3, 2]
    assert numbers(database, filter="params.a = '9'") == [2]
    assert numbers(database, filter="params.a != 9") == [1]
    assert numbers(database, filter="not params.a = 9") == [4, 1]


def test_runs_that_come_and_go_between_pages_shift_no_others(database):
    add(database, *(make_run(pk, metrics={"a": pk % 3 / 4}) for pk in range(1, 31)))
    for order in ("metrics.a", "metrics.a desc", "number", None, "metrics.a, number desc"):
        expected = [n for n in numbers(database, order_by=order) if n <= 30]
        seen, after, new = [], None, 100
        while True:
            found, after = find(database, order_by=order, limit=7, after=after)
            seen += found
            if after is None:
                break
            new += 1
            add(database, make_run(new, metrics={"a": 0.25}))
            with database.write() as connection:
                # The last run seen goes: the page after it must still be found.
                connection.execute(sa.delete(schema.run).where(schema.run.c.pk == seen[-1]))
        assert [n for n in seen if n <= 30] == expected
        assert len(set(seen)) == len(seen)
        with database.write() as connection:
            connection.execute(sa.delete(schema.run))
        add(database, *(make_run(pk, metrics={"a": pk % 3 / 4}) for pk in range(1, 31)))


def test_the_last_page_has_no_token_even_if_it_is_full(database):
    add(database, make_run(1), make_run(2))
    found, token = find(database, limit=1)
    assert found == [2]
    assert token is not None
    assert find(database, limit=1, after=token) == ([1], None)
    assert find(database, limit=2) == ([2, 1], None)


@pytest.mark.parametrize(
    "other",
    [
        {"filter": "number < 5"},
        {"order_by": "metrics.b"},
        {"order_by": None},
        {"order_by": "metrics.a, number"},
        {"order_by": "params.a"},
        {"experiment_id": "e2"},
        {"project_id": "p1"},
        {"parent_id": "id1"},
    ],
)
def test_a_token_of_another_search_is_refused(database, other):
    add(database, make_run(1), make_run(2))
    asked = {"filter": "number > 0", "order_by": "metrics.a", "experiment_id": "e1", "limit": 1}
    _, token = find(database, **asked)
    assert find(database, **asked, after=token)[0] == [1]
    with pytest.raises(InvalidArgument, match="token"):
        find(database, **{**asked, **other}, after=token)


@pytest.mark.parametrize("token", ["", "x", "e30", "ä", "A" * 100_000])
def test_a_token_that_is_none_is_refused(database, token):
    with pytest.raises(InvalidArgument, match="token"):
        find(database, after=token)


HOSTILE = ["' or 1=1 --", "'; drop table run; --", '" or ""="', "%", "a' and 'b'='b", "`", "\\", ":keys", "?", "%(x)s"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_quoted_is_only_ever_compared(database, text):
    add(database, make_run(1, params={"a": "x"}), make_run(2, params={text: text}, tags={"a": text}, name=text))
    quoted, name = text.replace("'", "''"), text.replace("`", "``")
    for wanted in (f"tags.a = '{quoted}'", f"name in ('{quoted}')", f"params.`{name}` = '{quoted}'"):
        assert numbers(database, filter=wanted) == [2]
    for order in (f"params.`{name}`", f"params.`{name}` desc, tags.`{name}`"):
        assert numbers(database, order_by=order) == [2, 1]


def alternating(levels):
    """`and` in `or` in `and` ..., the deepest first or last."""
    text = "number = 1"
    for level in range(levels):
        word, other = ("and", "number > 0") if level % 2 else ("or", "number < 0")
        text = f"({text}) {word} {other}" if level % 3 else f"{other} {word} ({text})"
    return text


@pytest.mark.parametrize("leaf", ["number < 0", "metrics.a = 5", "params.a = 'x'", "not tags.a in ('x', 'y')"])
@pytest.mark.parametrize("word", ["and", "or"])
def test_a_thousand_terms_and_a_hundred_levels_can_be_searched(database, leaf, word):
    add(database, make_run(1, metrics={"a": 1.0}), make_run(2))
    wide = f" {word} ".join([leaf] * (500 if " in " in leaf else 1000))
    assert numbers(database, filter=wide) == numbers(database, filter=leaf)
    deep = alternating(100)
    assert numbers(database, filter=deep) == [1]
    assert numbers(database, filter=deep.replace("number = 1", leaf.removeprefix("not "))) is not None
    assert numbers(database, filter=deep, order_by="metrics.a") == [1]


def test_a_pattern_full_of_wildcards_does_not_take_long(database):
    add(database, make_run(1, params={"a": "a" * 60_000}))
    begun = time.monotonic()
    assert numbers(database, filter=f"params.a like '{'%a' * 20}%b'") == []
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a < 0.5 and not params.a in ('x', 4) or tags.b like 'x%' and name ilike 'Y_'",
        "started_at > '2026-01-01' and duration_s < 5 and exit_code in (1, 2.5) and min(metrics.a) is not null",
    ],
)
def test_the_same_statements_are_valid_for_postgresql(text):
    table, columns = sorted_runs(parse_order("params.a desc, metrics.a, duration_s, name desc"))
    position = (0, 4.0, "", 2, 0.0, 0, 1.5, 0, "n", 7)
    statement = sa.select(*(column.expression for column in columns)).select_from(table)
    statement = statement.where(condition_sql(parse_filter(text), "postgresql"), past(columns, position))
    written = str(statement.order_by(*(column.ordered for column in columns)).compile(dialect=postgresql.dialect()))
    assert "GLOB" not in written
    assert "false" in written

import datetime as dt
import math

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.storage.catalogue import migrating, schema
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.runs import job_of, owner_of, records_of
from amlsdk.storage.catalogue.summaries import refresh
from amlsdk.storage.catalogue.times import from_us, to_us

RUN = {
    "project_id": "p",
    "experiment_id": "e",
    "kind": "interactive",
    "status": "Running",
    "user": "ada",
    "created_at": 1,
    "cancel_requested": False,
}


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/catalogue.sqlite")
    migrating.create(database)
    with database.write() as connection:
        place = {"description": "", "created_at": 1}
        connection.execute(sa.insert(schema.project), {"id": "p", "name": "p", "last_run_number": 0, **place})
        connection.execute(sa.insert(schema.experiment), {"id": "e", "project_id": "p", "name": "e", **place})
        rows = [{**RUN, "pk": pk, "id": f"r{pk}", "number": pk, "name": f"n{pk}"} for pk in (1, 2, 3)]
        connection.execute(sa.insert(schema.run), rows)
    yield database
    database.close()


def metric(pk, name, **values):
    fixed = {"count": 2, "last_step": 7, "last_time": 1, "last_writer": "w", "last_offset": 0, "experiment_id": "e"}
    return {"run_pk": pk, "name": name, "last": None, "min": None, "max": None, **fixed, **values}


def records(database, *, states=False, newest_first=False):
    order = schema.run.c.pk.desc() if newest_first else schema.run.c.pk
    with database.read() as connection:
        return records_of(connection, connection.execute(sa.select(schema.run).order_by(order)).all(), states=states)


def keep(database, metrics=(), params=(), tags=()):
    """Write what runs have logged, with their summaries."""
    with database.write() as connection:
        for table, rows in ((schema.metric, metrics), (schema.param, params), (schema.tag, tags)):
            if rows:
                connection.execute(sa.insert(table), rows)
        for pk in {row["run_pk"] for row in (*metrics, *params, *tags)}:
            refresh(connection, pk)


def test_each_run_gets_what_is_its_own(database):
    text = {"experiment_id": "e", "number": None, "time": 1}
    keep(
        database,
        metrics=[metric(1, "a", last=0.5, min=0.1, max=0.9), metric(3, "b", last=1)],
        params=[{"run_pk": 2, "name": "depth", "value": "4", **text}],
        tags=[{"run_pk": 2, "name": "by", "value": "ada", **text}],
    )
    first, second, third = records(database)
    assert (first.metrics["a"].last, first.metrics["a"].min, first.metrics["a"].max) == (0.5, 0.1, 0.9)
    assert (first.metrics["a"].count, first.metrics["a"].last_step) == (2, 7)
    assert (second.params, second.tags, second.metrics) == ({"depth": "4"}, {"by": "ada"}, {})
    assert set(third.metrics) == {"b"}


def test_the_order_is_that_of_the_rows(database):
    assert [record.number for record in records(database, newest_first=True)] == [3, 2, 1]


def test_what_sqlite_can_not_store_comes_back_as_nan(database):
    keep(database, metrics=[metric(1, "a")])
    found = records(database)[0].metrics["a"]
    assert all(map(math.isnan, (found.last, found.min, found.max)))


def test_infinities_are_kept(database):
    keep(database, metrics=[metric(1, "a", last=-math.inf, min=-math.inf, max=math.inf)])
    found = records(database)[0].metrics["a"]
    assert (found.last, found.max) == (-math.inf, math.inf)


def test_states_come_in_order_and_only_when_asked(database):
    with database.write() as connection:
        rows = [{"run_pk": 1, "number": number, "status": f"s{number}", "at": number} for number in (2, 1, 3)]
        connection.execute(sa.insert(schema.run_state), rows)
    assert [state.status for state in records(database, states=True)[0].states] == ["s1", "s2", "s3"]
    assert records(database)[0].states == ()


def test_no_rows_are_no_records(database):
    with database.read() as connection:
        assert records_of(connection, []) == []


def test_jobs_and_owners_are_read_as_they_were_kept():
    job = '{"script":"a.py","snapshot":"d","arguments":["-x","1"],"inputs":{"raw":"e"}}'
    assert job_of(job) == JobSpec(script="a.py", snapshot="d", arguments=("-x", "1"), inputs={"raw": "e"})
    owner = '{"host":"h","boot_id":"b","pid":1,"started":"2"}'
    assert owner_of(owner) == ProcessIdentity(host="h", boot_id="b", pid=1, started="2")
    assert job_of(None) is owner_of(None) is None


@given(st.datetimes(timezones=st.just(dt.timezone.utc)))
def test_times_are_kept_exactly(time_at):
    assert from_us(to_us(time_at)) == time_at

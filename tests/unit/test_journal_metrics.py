"""What a metric takes, and how its steps count."""

import decimal
import fractions
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, derandomize=True)


@pytest.fixture
def writer(tmp_path):
    writer = JournalWriter(tmp_path / "journals", new_id())
    yield writer
    writer.close()


def read(writer: JournalWriter) -> Batch:
    return parse_batch(writer.path.read_bytes(), first_offset=0)


def points(writer: JournalWriter, name: str) -> list[tuple[int, float]]:
    found = read(writer).series[name]
    return list(zip(found.steps, found.values, strict=True))


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        0.25,
        np.float32(0.5),
        np.int8(3),
        np.bool_(True),
        np.array(2.5),
        np.array([[7]]),
        np.longdouble(1.5),
        decimal.Decimal("0.125"),
        fractions.Fraction(1, 4),
    ],
    ids=repr,
)
def test_a_metric_takes_any_real_scalar(writer, value):
    writer.metric("m", value)
    assert points(writer, "m") == [(0, float(value.item() if isinstance(value, np.ndarray) else value))]


@pytest.mark.parametrize(
    "value",
    [
        "1.5",
        b"1",
        None,
        1j,
        np.complex64(1),
        np.array([1.0, 2.0]),
        np.array("1.5"),
        np.array(None, dtype=object),
        np.datetime64("2026-01-01"),
        10**400,
        decimal.Decimal("1e999"),
        decimal.Decimal("sNaN"),
        np.longdouble("1e4000"),
        object(),
        [],
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_what_is_no_number_is_refused_by_the_metrics_name_and_nothing_is_logged(writer, value):
    with pytest.raises(InvalidArgument, match="'loss'"):
        writer.metric("loss", value)
    with pytest.raises(InvalidArgument, match="'loss'"):
        writer.metrics({"good": 1, "loss": value})
    assert not writer.path.exists()


def test_the_message_names_the_type_that_was_given(writer):
    with pytest.raises(InvalidArgument, match="metric 'loss' takes a number, not str"):
        writer.metric("loss", "high")


@pytest.mark.parametrize("step", [True, 1.0, "1", 2**63, -(2**63) - 1, np.float64(1), np.bool_(True)], ids=repr)
def test_a_step_that_is_no_whole_number_of_64_bits_is_refused(writer, step):
    with pytest.raises(InvalidArgument, match="step of metric 'm'"):
        writer.metric("m", 1, step=step)
    with pytest.raises(InvalidArgument, match="step of metric 'm'"):
        writer.metrics({"m": 1}, step=step)


@pytest.mark.parametrize("name", ["", "x" * 251, "a\n", " a", "\ud800", 3, None, ["a"]], ids=repr)
def test_a_bad_name_is_refused(writer, name):
    for call in (lambda: writer.metric(name, 1), lambda: writer.param(name, ""), lambda: writer.row(name, {})):
        with pytest.raises(InvalidArgument):
            call()


def test_steps_count_per_name_from_0_and_go_on_after_an_explicit_one(writer):
    for step in (None, None, 7, None, np.int64(3), None):
        writer.metric("a", 0, step=step)
    writer.metrics({"a": 0, "b": 0})
    writer.metrics({"a": 0, "b": 0}, step=20)
    writer.metric("b", 0)
    assert [step for step, _ in points(writer, "a")] == [0, 1, 7, 8, 3, 4, 5, 20]
    assert [step for step, _ in points(writer, "b")] == [0, 20, 21]


def test_after_the_last_step_of_64_bits_the_next_must_be_given(writer):
    writer.metric("m", 1, step=2**63 - 1)
    for _ in range(2):
        with pytest.raises(InvalidArgument, match="no step after"):
            writer.metric("m", 1)
    writer.metric("m", 1, step=0)
    assert [step for step, _ in points(writer, "m")] == [2**63 - 1, 0]


@SHARED
@example(value=math.nan)
@example(value=-math.inf)
@example(value=5e-324)
@given(value=st.floats())
def test_any_float_comes_back_bit_by_bit(tmp_path, value):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", value)
    writer.close()
    [(_, back)] = points(writer, "m")
    assert back.hex() == value.hex()


@SHARED
@given(name=st.text(min_size=1, max_size=250).filter(lambda name: name.isprintable() and name == name.strip()))
def test_any_name_comes_back(tmp_path, name):
    writer = JournalWriter(tmp_path, new_id())
    writer.metrics({name: 1.0})
    writer.param(name, name)
    writer.close()
    assert list(read(writer).series) == [name]
    assert [entry.data for entry in read(writer).others if entry.kind == "param"] == [{"n": name, "x": name}]

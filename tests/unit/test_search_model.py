"""Random searches of random runs give what a plain Python evaluation gives."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from postgres_server import ON_SERVER
from search_model import (
    ATTRIBUTES,
    DAY_US,
    FIRST_US,
    METRICS,
    NUMBERS,
    TEXT_NAMES,
    TEXTS,
    ModelRun,
    compare,
    matches,
    ordered,
    random_runs,
    value_of,
    write_runs,
    write_scopes,
)
from sqlalchemy.engine import Connection

from amlsdk.operations.runs import SearchRuns
from amlsdk.storage.catalogue import migrating, search
from amlsdk.storage.catalogue.database import Database

Predicate = Callable[[ModelRun], bool]
Filter = tuple[str, Predicate]
WORLDS = 4
QUIET = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=["sqlite", ON_SERVER])
def worlds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[tuple[list[ModelRun], Connection]]]:
    with contextlib.ExitStack() as stack:
        url = None
        if request.param == "postgres":
            url = stack.enter_context(request.getfixturevalue("postgres_server").database())
        found = []
        for number in range(WORLDS):
            path = tmp_path_factory.mktemp("world") / "catalogue.sqlite"
            database = Database(url, schema=f"ws_{number}") if url else Database(f"sqlite:///{path}")
            stack.callback(database.close)
            runs = random_runs(number, 12 * (number + 1))
            migrating.create(database)
            with database.write() as connection:
                write_scopes(connection, 1, 2)
                write_runs(connection, runs)
            found.append((runs, stack.enter_context(database.read())))
        yield found


def quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


def named(name: str) -> str:
    plain = all(char.isalnum() or char in "_.-/" for char in name)
    return name if plain else quoted(name, "`")


def time_text(micros: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(microseconds=micros)
    zone = dt.timezone(dt.timedelta(hours=micros // DAY_US % 5 - 2))
    return moment.astimezone(zone).isoformat()


metric_operands = st.builds(
    lambda name, part: f"{part}(metrics.{named(name)})" if part else f"metrics.{named(name)}",
    st.sampled_from((*METRICS, "no such")),
    st.sampled_from(("", "last", "min", "max")),
)
text_operands = st.builds(
    lambda group, name: f"{group}.{named(name)}", st.sampled_from(("params", "tags")), st.sampled_from(TEXT_NAMES)
)
attribute_operands = {kind: st.sampled_from(names) for kind, names in ATTRIBUTES.items()}
counts = st.sampled_from([f"count(metrics.{named(name)})" for name in METRICS])
quotes = st.sampled_from("'\"")
number_texts = st.sampled_from([(str(number), number) for number in NUMBERS] + [("+1", 1), ("25E-2", 0.25), ("3", 3)])
metric_values = st.one_of(number_texts, st.just(("nan", math.nan)))
text_values = st.builds(lambda text, quote: (quoted(text, quote), text), st.sampled_from(TEXTS), quotes)
own_texts = st.builds(
    lambda text, quote: (quoted(text, quote), text),
    st.sampled_from(("Completed", "Running", "interactive", "ann", "local", "id1", "id7", *TEXTS)),
    quotes,
)
time_values = st.builds(
    lambda micros: (quoted(time_text(micros), "'"), micros),
    st.integers(0, 10).map(lambda halves: FIRST_US + halves * DAY_US // 2),
)
patterns = st.lists(st.sampled_from(("%", "_", "a", "B", "ä", "*", "[", "\\", "\\%", "\\_", "e", "4")), max_size=5).map(
    "".join
)

operands = st.one_of(metric_operands, counts, text_operands, *attribute_operands.values())


def values_for(operand: str) -> st.SearchStrategy[tuple[str, object]]:
    if operand.startswith(("params.", "tags.")):
        return st.one_of(text_values, number_texts)
    if "metrics." in operand:
        return number_texts if operand.startswith("count") else metric_values
    kind = next(kind for kind, names in ATTRIBUTES.items() if operand in names)
    return {"text": own_texts, "number": number_texts, "time": time_values}[kind]


@st.composite
def comparisons(draw: st.DrawFn, operand: str) -> Filter:
    text, value = draw(values_for(operand))
    nan = isinstance(value, float) and math.isnan(value)
    operator = draw(st.sampled_from(("=", "!=") if nan else ("=", "!=", "<", "<=", ">", ">=")))
    spelled = draw(st.sampled_from(("=", "=="))) if operator == "=" else operator
    space = draw(st.sampled_from((" ", "", "\n")))
    return f"{operand}{space}{spelled}{space}{text}", lambda run: compare(value_of(run, operand), operator, value)


@st.composite
def memberships(draw: st.DrawFn, operand: str) -> Filter:
    chosen = draw(st.lists(values_for(operand), min_size=1, max_size=4))
    texts = ", ".join(text for text, _ in chosen)
    if draw(st.booleans()):
        return f"{operand} in ({texts})", lambda run: any(compare(value_of(run, operand), "=", v) for _, v in chosen)
    return f"{operand} NOT IN({texts})", lambda run: all(compare(value_of(run, operand), "!=", v) for _, v in chosen)


@st.composite
def likenesses(draw: st.DrawFn, operand: str) -> Filter:
    pattern, ignore_case, negated = draw(patterns), draw(st.booleans()), draw(st.booleans())

    def holds(run: ModelRun) -> bool:
        value = value_of(run, operand)
        return value is not None and matches(value, pattern, ignore_case=ignore_case) is not negated

    words = ("not " if negated else "") + ("ilike" if ignore_case else "LIKE")
    return f"{operand} {words} {quoted(pattern, draw(quotes))}", holds


def presences(operand: str) -> st.SearchStrategy[Filter]:
    absent = f"{operand} is null", lambda run: value_of(run, operand) is None
    present = f"{operand} Is Not Null", lambda run: value_of(run, operand) is not None
    return st.sampled_from((absent, present))


def on_operand(operand: str) -> st.SearchStrategy[Filter]:
    kinds = [comparisons(operand), comparisons(operand), memberships(operand), presences(operand)]
    texts = operand.startswith(("params.", "tags.")) or operand in ATTRIBUTES["text"]
    return st.one_of(*kinds, *([likenesses(operand)] if texts else []))


def joined(word: str, test: Callable[[Iterator[bool]], bool]) -> Callable[[list[Filter]], Filter]:
    def join(parts: list[Filter]) -> Filter:
        return f" {word} ".join(f"({text})" for text, _ in parts), lambda run: test(holds(run) for _, holds in parts)

    return join


def turned(part: Filter) -> Filter:
    text, holds = part
    return f"not ({text})", lambda run: not holds(run)


leaves = operands.flatmap(on_operand)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(joined("and", all)),
        st.lists(inner, min_size=2, max_size=4).map(joined("OR", any)),
        inner.map(turned),
    ),
    max_leaves=8,
)
order_keys = st.tuples(operands, st.booleans())
orders = st.lists(order_keys, max_size=3)


def order_text(keys: list[tuple[str, bool]]) -> str | None:
    return ", ".join(f"{operand} {'desc' if descending else 'asc'}" for operand, descending in keys) or None


def pages(connection: Connection, limits: Iterator[int], **asked: object) -> list[int]:
    """Keys of all runs, read page by page."""
    found: list[str] = []
    after = None
    while True:
        page = search.search_runs(connection, SearchRuns(after=after, limit=next(limits), **asked))
        found += [record.id for record in page.items]
        assert len(found) < 1000, "the pages never end"
        after = page.next_token
        if after is None:
            return [int(identity.removeprefix("id")) for identity in found]


@contextlib.contextmanager
def way(*, seeds: bool) -> Iterator[None]:
    """Let a search begin with the few runs of a rare term, or not."""
    with contextlib.nullcontext() if seeds else mock.patch.object(search, "seed_of", return_value=None):
        yield


@seed(1)
@QUIET
@given(number=st.integers(0, WORLDS - 1), chosen=filters, keys=orders, seeds=st.booleans())
def test_a_search_gives_the_runs_that_the_filter_holds_for_in_the_order_asked_for(worlds, number, chosen, keys, seeds):
    runs, connection = worlds[number]
    text, holds = chosen
    expected = [run.pk for run in ordered(runs, keys) if holds(run)]
    scope = {"experiment_id": "e1"} if number % 2 else {"project_id": "p1"}
    asked = {"filter": text, "order_by": order_text(keys), **scope}
    with way(seeds=seeds):
        assert pages(connection, itertools.repeat(1000), **asked) == expected


@seed(2)
@QUIET
@given(
    number=st.integers(0, WORLDS - 1),
    chosen=st.one_of(st.none(), leaves),
    keys=orders,
    ways=st.lists(st.booleans(), min_size=1, max_size=3),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_pages_of_any_length_read_by_any_way_give_the_same_sequence(worlds, number, chosen, keys, ways, limits):
    runs, connection = worlds[number]
    text, holds = chosen or (None, lambda _: True)
    expected = [run.pk for run in ordered(runs, keys) if holds(run)]
    asked = {"filter": text, "order_by": order_text(keys), "experiment_id": "e1"}
    whole, after, seeds = [], None, itertools.cycle(ways)
    for limit in itertools.cycle(limits):
        with way(seeds=next(seeds)):
            page = search.search_runs(connection, SearchRuns(after=after, limit=limit, **asked))
        whole += [int(record.id.removeprefix("id")) for record in page.items]
        assert len(whole) < 1000, "the pages never end"
        after = page.next_token
        if after is None:
            break
        assert len(page.items) == limit
    assert whole == expected


@seed(3)
@QUIET
@given(number=st.integers(0, WORLDS - 1), key=order_keys, own=st.data(), seeds=st.booleans())
def test_a_filter_on_the_key_of_the_order_bounds_it_rightly(worlds, number, key, own, seeds):
    runs, connection = worlds[number]
    parts = own.draw(st.lists(leaves, max_size=2))
    text, holds = joined("and", all)([*parts, own.draw(on_operand(key[0]))])
    expected = [run.pk for run in ordered(runs, [key]) if holds(run)]
    asked = {"filter": text, "order_by": order_text([key]), "experiment_id": "e1"}
    with way(seeds=seeds):
        assert pages(connection, itertools.repeat(7), **asked) == expected

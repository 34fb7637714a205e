"""What objects show of themselves in a notebook."""

import html.parser
import math

import pytest

VOID = {"br", "path"}


class Markup(html.parser.HTMLParser):
    """The elements and the texts of a piece of HTML, which has to be well formed."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(markup)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def tags(self):
        return [tag for tag, _ in self.elements]


@pytest.fixture
def experiment(aml_workspace):
    return aml_workspace.projects.create("wine").experiments.create("train")


@pytest.fixture
def run(experiment):
    with experiment.start_run("first", tags={"owner": "<b>ada</b>"}) as run:
        run.log_param("<script>alert(1)</script>", '"x" & <y>')
        run.log_param("note", "word " * 100)
        for step in range(20):
            run.log("val <loss>", math.nan if step == 7 else 1 / (step + 1))
        run.log("accuracy", 0.5)
    return run


@pytest.mark.parametrize(
    "view",
    [
        lambda run, _: run,
        lambda _, experiment: experiment.runs,
        lambda _, experiment: experiment.runs.search("metrics.accuracy > 0"),
        lambda run, _: run.compare(run),
        lambda run, _: run.series("val <loss>"),
    ],
    ids=["run", "runs", "search", "comparison", "series"],
)
def test_a_view_escapes_what_users_wrote_and_takes_colours_from_the_page(run, experiment, view):
    markup = view(run, experiment)._repr_html_()
    shown = Markup(markup)
    assert not {"script", "b", "y", "loss"} & set(shown.tags())
    styles = " ".join(attributes.get("style", "") for _, attributes in shown.elements)
    assert "#" not in styles
    assert "rgb" not in styles


def test_a_run_shows_its_facts_and_a_line_of_each_metric_with_several_points(run):
    shown = Markup(run._repr_html_())
    assert {"first", "Completed", run.id, "params.<script>alert(1)</script>", '"x" & <y>', "<b>ada</b>"} <= set(
        shown.texts
    )
    assert shown.tags().count("svg") == 1


def test_a_failed_run_shows_its_traceback_line_by_line(experiment):
    with pytest.raises(ValueError, match="boom"), experiment.start_run() as run:
        raise ValueError("<boom>\nand more")
    shown = Markup(run._repr_html_())
    (traceback,) = (text for text in shown.texts if "Traceback" in text)
    assert traceback.endswith("ValueError: <boom>\nand more")
    assert "pre" in shown.tags()


def test_a_long_param_does_not_swell_a_table_of_runs(run, experiment):
    shown = Markup(experiment.runs._repr_html_())
    assert max(map(len, shown.texts)) <= 60
    assert any(attributes.get("title") == "word " * 100 for _, attributes in shown.elements)


def test_where_there_is_no_run_that_is_said(experiment):
    assert Markup(experiment.runs._repr_html_()).texts == ["no runs"]
    assert repr(experiment.runs) == "no runs"

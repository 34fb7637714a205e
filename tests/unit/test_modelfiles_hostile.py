"""Made-up model files do no harm."""

import io
import json
import pickle
import zipfile

import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.resources.modelfiles import algorithm_of, archives, detect_format, load_files, save_estimator

WINE, KIND = load_wine(return_X_y=True)
RAN = []


def strike(word):
    RAN.append(word)


class Strike:
    def __init__(self, word="ran"):
        self.word = word

    def __reduce__(self):
        return strike, (self.word,)


@pytest.fixture(autouse=True)
def nothing_ran():
    RAN.clear()


@pytest.mark.parametrize("name", ["model.skops", "model.onnx", "model.safetensors", "model.pkl", "model"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_not_run_whatever_its_name_and_protocol(name, protocol, tmp_path):
    (tmp_path / name).write_bytes(pickle.dumps(Strike(), protocol))
    assert detect_format(tmp_path) == "pickle"
    for kind in ("skops", "onnx", "safetensors", "pickle"):
        with pytest.raises(InvalidArgument, match=rf"{name}.*runs code.*trusted=True.*skops"):
            load_files(tmp_path, kind)
    algorithm_of(tmp_path / name)
    assert RAN == []


def test_a_trusted_pickle_is_loaded(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Strike("trusted")))
    load_files(tmp_path, "pickle", trusted=True)
    assert RAN == ["trusted"]


def test_a_pickle_under_another_formats_record_is_not_run_even_when_trusted(tmp_path):
    """Trust was given to what was registered; other content under its name is something else."""
    (tmp_path / "model.skops").write_bytes(pickle.dumps(Strike()))
    with pytest.raises(InvalidArgument, match="pickle-based"):
        load_files(tmp_path, "skops", trusted=True)
    assert RAN == []


def crafted_skops(path, node):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps({**node, "protocol": 2, "_skops_version": "0.11"}))


def node(module, name, loader, **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def text(value):
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def tuple_of(*values):
    return node("builtins", "tuple", "TupleNode", content=list(values))


@pytest.mark.parametrize(
    "function",
    [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("joblib", "load"), (__name__, "strike")],
)
@pytest.mark.parametrize("loader", ["ConstructorFromReduceNode", "ObjectNode", "FunctionNode", "TypeNode"])
def test_a_skops_file_that_names_a_function_is_refused_by_name(function, loader, tmp_path):
    crafted_skops(tmp_path / "model.skops", node(*function, loader, content=tuple_of(text("ran"))))
    with pytest.raises(InvalidArgument, match=rf"{function[0]}\.{function[1]}"):
        load_files(tmp_path, "skops")
    assert RAN == []


def test_a_function_hidden_in_a_partial_is_refused(tmp_path):
    hidden = node(__name__, "strike", "FunctionNode")
    nothing = node(
        "builtins", "dict", "DictNode", content={}, key_types=node("builtins", "list", "ListNode", content=[])
    )
    content = {"func": hidden, "args": tuple_of(text("ran")), "kwds": nothing, "namespace": nothing}
    crafted_skops(tmp_path / "model.skops", node("functools", "partial", "PartialNode", content=content))
    with pytest.raises(InvalidArgument, match="strike"):
        load_files(tmp_path, "skops")


def test_a_frozen_distribution_is_refused(tmp_path):
    """scipy runs generated source text when it restores one."""
    crafted_skops(
        tmp_path / "model.skops", node("scipy.stats._distn_infrastructure", "rv_continuous_frozen", "ObjectNode")
    )
    with pytest.raises(InvalidArgument, match="rv_continuous_frozen"):
        load_files(tmp_path, "skops")


@pytest.mark.parametrize(
    "schema",
    [
        b'{"__loader__": 1}',
        b'{"__loader__": "ObjectNode"}',
        b'{"__loader__": ' + b"[" * 100_000,
        b'{"__loader__": "Nowhere", "__class__": "a", "__module__": "b", "protocol": 2}',
    ],
    ids=["number", "no class", "deep", "unknown loader"],
)
def test_a_broken_schema_is_refused_and_described_as_nothing(schema, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("schema.json", schema)
    with pytest.raises(InvalidArgument, match=r"model\.skops"):
        load_files(tmp_path, "skops")
    assert algorithm_of(tmp_path).get("hyperparameters", {}) == {}


def test_a_truncated_skops_file_is_refused(tmp_path):
    save_estimator(DecisionTreeClassifier(random_state=0).fit(WINE, KIND), tmp_path)
    whole = (tmp_path / "model.skops").read_bytes()
    (tmp_path / "model.skops").write_bytes(whole[: len(whole) // 2])
    assert detect_format(tmp_path) == "files"
    with pytest.raises(InvalidArgument, match=r"none of the model's 1 files is skops"):
        load_files(tmp_path, "skops")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:evil", "a\\..\\evil"])
def test_an_archive_with_a_member_outside_itself_is_refused(name, tmp_path):
    save_estimator(LogisticRegression(), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.skops", "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(InvalidArgument, match="outside itself"):
        load_files(tmp_path, "skops", trusted=True)


def test_an_archive_with_two_members_of_one_name_is_refused(tmp_path):
    save_estimator(LogisticRegression(), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.skops", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("schema.json", b"{}")
    with pytest.raises(InvalidArgument, match="two members"):
        archives.check_archive(tmp_path / "model.skops")


def bomb(member_name, size):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("schema.json", '{"__loader__": "ObjectNode"}')
        archive.writestr(member_name, bytes(size))
    return packed.getvalue()


def test_a_decompression_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 4 * 2**20)
    (tmp_path / "model.skops").write_bytes(bomb("1.npy", 8 * 2**20))
    with pytest.raises(InvalidArgument, match="unpacks to"):
        load_files(tmp_path, "skops", trusted=True)


def test_a_bomb_inside_a_member_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 4 * 2**20)
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("schema.json", '{"__loader__": "ObjectNode"}')
        archive.writestr("matrix.npz", bomb("data.npy", 8 * 2**20))
    with pytest.raises(InvalidArgument, match="unpacks to"):
        load_files(tmp_path, "skops")


def test_a_large_archive_that_packs_well_but_not_absurdly_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    model = RandomForestClassifier(5, random_state=0).fit(WINE, KIND)
    save_estimator(model, tmp_path)
    assert load_files(tmp_path, "skops").n_features_in_ == 13


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    inside = tmp_path / "model"
    save_estimator(LogisticRegression(), tmp_path / "elsewhere")
    inside.mkdir()
    (inside / "model.skops").symlink_to(tmp_path / "elsewhere" / "model.skops")
    with pytest.raises(InvalidArgument, match="links outside"):
        load_files(inside, "skops")
    with pytest.raises(InvalidArgument, match="links outside"):
        detect_format(inside)


def test_a_missing_folder_and_an_unknown_format_are_said(tmp_path):
    with pytest.raises(NotFound, match="neither a file nor a folder"):
        load_files(tmp_path / "none", "skops")
    with pytest.raises(InvalidArgument, match="'keras' is no format"):
        load_files(tmp_path, "keras")


def test_two_models_in_a_folder_are_not_guessed_between(tmp_path):
    for name in ("a", "b"):
        save_estimator(LogisticRegression(), tmp_path / name)
    assert detect_format(tmp_path) == "files"
    assert load_files(tmp_path, "files") == tmp_path
    with pytest.raises(InvalidArgument, match=r"2 skops files \(a/model.skops, b/model.skops\)"):
        load_files(tmp_path, "skops")

"""Formats are told by content."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import pickletools
import zipfile
import zlib

import cloudpickle
import joblib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from amlsdk.resources.modelfiles import detect_format, load_files, pickle_files, save_estimator

MODEL = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
PACKERS = {"gz": gzip.compress, "z": zlib.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_told_by_its_content_in_every_protocol(protocol, tmp_path):
    (tmp_path / "weights.bin").write_bytes(pickle.dumps(MODEL, protocol))
    assert detect_format(tmp_path) == "pickle"
    assert pickle_files(tmp_path) == ["weights.bin"]


def test_an_optimised_pickle_without_frames_is_told(tmp_path):
    (tmp_path / "a").write_bytes(pickletools.optimize(pickle.dumps([1, 2], 4)))
    assert detect_format(tmp_path / "a") == "pickle"


def test_cloudpickle_is_told(tmp_path):
    (tmp_path / "a").write_bytes(cloudpickle.dumps(lambda rows: rows))
    assert detect_format(tmp_path / "a") == "pickle"


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)], ids=str)
def test_a_joblib_file_is_told_under_any_name_and_loads_when_trusted(compress, tmp_path):
    joblib.dump(MODEL, tmp_path / "model.data", compress=compress)
    assert detect_format(tmp_path) == "pickle"
    assert load_files(tmp_path, "pickle", trusted=True).predict([[3.0]]) == [1]


@pytest.mark.parametrize("packed", PACKERS)
def test_compressed_text_is_no_pickle(packed, tmp_path):
    (tmp_path / f"notes.{packed}").write_bytes(PACKERS[packed](b"Notes on wine\n" * 1000))
    assert detect_format(tmp_path) == "files"


def test_a_large_compressed_pickle_is_told_by_its_beginning(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(pickle.dumps(np.random.default_rng(0).random(500_000))))
    assert detect_format(tmp_path) == "pickle"


def test_a_torch_archive_is_told_by_the_pickle_in_it(tmp_path):
    """Since 1.6 torch writes a zip archive whose objects are in data.pkl."""
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"weight": 1}, 2))
        archive.writestr("model/data/0", bytes(64))
        archive.writestr("model/version", b"3\n")
    assert detect_format(tmp_path) == "pickle"
    assert pickle_files(tmp_path) == ["model.pt"]


def test_an_archive_with_a_pickle_of_another_name_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", b"hello")
        archive.writestr("content", pickle.dumps(MODEL))
    assert detect_format(tmp_path) == "pickle"


def test_an_archive_that_is_skops_and_holds_a_pickle_is_a_pickle(tmp_path):
    save_estimator(MODEL, tmp_path)
    with zipfile.ZipFile(tmp_path / "model.skops", "a") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(MODEL))
    assert detect_format(tmp_path) == "pickle"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numpy_archives_are_pickles_only_with_objects(save, tmp_path):
    save(tmp_path / "numbers.npz", a=np.arange(3), b=np.array(["text"]))
    assert detect_format(tmp_path) == "files"
    save(tmp_path / "objects.npz", a=np.arange(3), b=np.array([{"a": 1}], dtype=object))
    assert pickle_files(tmp_path) == ["objects.npz"]
    assert load_files(tmp_path, "pickle", trusted=True)["b"][0] == {"a": 1}


def test_numpy_arrays_are_pickles_only_with_objects(tmp_path):
    np.save(tmp_path / "numbers.npy", np.zeros(3, dtype=[("a", float), ("b", "U3")]))
    np.save(tmp_path / "objects.npy", np.array([None, 1], dtype=object))
    np.save(tmp_path / "fields.npy", np.zeros(3, dtype=[("a", float), ("b", [("c", object)])]))
    assert pickle_files(tmp_path) == ["fields.npy", "objects.npy"]


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "MODEL.PICKLE"])
def test_a_file_named_as_a_pickle_counts_as_one(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x28\xb5\x2f\xfd and whatever zstandard packs")
    assert detect_format(tmp_path) == "pickle"


def test_one_pickle_makes_a_model_a_pickle(tmp_path):
    save_estimator(MODEL, tmp_path)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "args.bin").write_bytes(pickle.dumps({"a": 1}))
    assert detect_format(tmp_path) == "pickle"
    assert pickle_files(tmp_path) == ["extra/args.bin"]


def test_several_paths_are_one_model(tmp_path):
    save_estimator(MODEL, tmp_path / "a")
    (tmp_path / "labels.txt").write_text("0 1")
    paths = [tmp_path / "a" / "model.skops", tmp_path / "labels.txt"]
    assert detect_format(paths) == "skops"
    assert detect_format([*paths, tmp_path / "a"]) == "files"


def test_a_skops_file_is_told_without_its_name(tmp_path):
    save_estimator(MODEL, tmp_path)
    (tmp_path / "model.skops").rename(tmp_path / "model.pkl")
    assert detect_format(tmp_path) == "skops"


def test_an_archive_with_another_schema_is_only_a_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps({"type": "object"}))
    assert detect_format(tmp_path) == "files"


TEXTS = [
    b"import os\nimport sys\nRun = 1\n",
    b"class Wine:\n    pass\n",
    b"columns\nfoo\nRow\n",
    b"(a)\n(b)\n",
    b"VERSION 1\n.\n",
    b"I am a text.\n",
    b"cat\ndog\n",
    b"# Wine\n",
    b"{}",
    b".",
    b"N.",
    b"",
    b"\x80",
    b"\x89PNG\r\n\x1a\n" + bytes(100),
    b"BM\x00\x00\x10\x00" + bytes(100),
    b"PAR1" + bytes(100),
    b"\x89HDF\r\n\x1a\n" + bytes(100),
    b"\x80\xff" + bytes(100),
]


@pytest.mark.parametrize("content", TEXTS, ids=lambda each: repr(each[:8]))
def test_other_files_are_only_files(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    assert detect_format(tmp_path) == "files"
    assert load_files(tmp_path, "files") == tmp_path


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=200))
@example(b"PK\x03\x04" + bytes(30))
@example(b"\x93NUMPY\x01\x00\xff\xff")
@example(b"\x1f\x8b\x08")
@example(b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
def test_any_bytes_have_a_format(tmp_path_factory, content):
    """Detection never raises."""
    file = tmp_path_factory.mktemp("any") / "file"
    file.write_bytes(content)
    assert detect_format(file) in {"skops", "onnx", "safetensors", "pickle", "files"}


@settings(deadline=None, derandomize=True)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.floats() | st.sampled_from([MODEL, json.loads, io.BytesIO]),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    ),
    st.integers(2, 5),
)
def test_any_object_pickled_is_a_pickle(tmp_path_factory, value, protocol):
    file = tmp_path_factory.mktemp("any") / "file"
    file.write_bytes(pickle.dumps(value, protocol))
    assert detect_format(file) == "pickle"

"""Mappings of arrays become safetensors files and mappings again."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles import algorithm_of, detect_format, load_files, save_estimator


@pytest.fixture(autouse=True, scope="module")
def without_torch():
    """Tensors become those of torch where that is imported, as other tests of this process may have done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "torch", raising=False)
        yield


TYPES = st.sampled_from(["float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool", "complex64"])


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "__metadata__"),
        TYPES.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0))),
        min_size=1,
        max_size=4,
    )
)
def test_arrays_come_back_as_they_were(tmp_path_factory, tensors):
    folder = tmp_path_factory.mktemp("tensors")
    saved = save_estimator(tensors, folder)
    assert (saved.format, saved.files) == ("safetensors", ("model.safetensors",))
    assert detect_format(folder) == "safetensors"
    loaded = load_files(folder, "safetensors")
    assert set(loaded) == set(tensors)
    for name, array in tensors.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array, equal_nan=array.dtype.kind in "fc")


def test_an_array_whose_memory_is_in_another_order_comes_back_right(tmp_path):
    """The format has one order; the library writes memory as it lies."""
    table = np.arange(6.0).reshape(2, 3)
    save_estimator({"turned": table.T, "every other": np.arange(10)[::2], "big": np.arange(3, dtype=">i4")}, tmp_path)
    loaded = load_files(tmp_path, "safetensors")
    assert np.array_equal(loaded["turned"], table.T)
    assert loaded["every other"].tolist() == [0, 2, 4, 6, 8]
    assert loaded["big"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong", [np.array(["a"]), np.array([None]), np.array(["2026-01-01"], dtype="M8[D]")], ids=repr
)
def test_arrays_that_are_no_numbers_are_refused_by_name(wrong, tmp_path):
    with pytest.raises(InvalidArgument, match="second"):
        save_estimator({"first": np.zeros(2), "second": wrong}, tmp_path)


def test_metadata_is_described_and_nothing_loaded(tmp_path):
    safetensors.numpy.save_file({"a": np.zeros(2)}, tmp_path / "weights", metadata={"format": "np"})
    assert detect_format(tmp_path) == "safetensors"
    assert algorithm_of(tmp_path) == {"metadata": {"format": "np"}}


def test_the_class_of_a_saved_module_is_described(tmp_path):
    told = {"class": "house.Net", "library": "torch", "library_version": "2.13.0", "format": "pt"}
    safetensors.numpy.save_file({"a": np.zeros(2)}, tmp_path / "model.safetensors", metadata=told)
    assert algorithm_of(tmp_path / "model.safetensors") == {
        "class": "house.Net",
        "library": "torch",
        "library_version": "2.13.0",
        "hyperparameters": {},
        "metadata": {"format": "pt"},
    }


class Module:
    """Has of a torch module what saving reads: the name of its base class and its state."""

    def state_dict(self):
        return {"layer.weight": np.eye(2), "layer.bias": np.zeros(2)}


Module.__module__ = "torch.nn.modules.module"


class Net(Module):
    """A user's own network."""


def test_a_module_is_saved_as_its_tensors_and_says_its_class(tmp_path):
    saved = save_estimator(Net(), tmp_path)
    assert (saved.format, saved.algorithm["class"]) == ("safetensors", f"{__name__}.Net")
    assert algorithm_of(tmp_path)["class"] == f"{__name__}.Net"
    assert set(load_files(tmp_path, "safetensors")) == {"layer.weight", "layer.bias"}


@pytest.mark.parametrize(
    "content",
    [
        (8).to_bytes(8, "little") + b"{}      x",
        (2).to_bytes(8, "little") + b"[]",
        (10**12).to_bytes(8, "little") + b"{}",
        (9).to_bytes(8, "little") + b'{"a": 1} ',
    ],
    ids=["more", "list", "longer than the file", "no tensors"],
)
def test_other_files_are_not_safetensors(content, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(content)
    assert detect_format(tmp_path) == "files"


def test_an_empty_file_of_tensors_is_one(tmp_path):
    safetensors.numpy.save_file({}, tmp_path / "none.safetensors")
    assert detect_format(tmp_path) == "safetensors"
    assert load_files(tmp_path, "safetensors") == {}


def test_tensors_that_reach_outside_the_file_are_refused(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 10**9]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(InvalidArgument, match="can't be read as safetensors"):
        load_files(tmp_path, "safetensors")


def test_importing_the_functions_imports_no_library():
    """Neither does telling what kind of thing an object is."""
    code = (
        "import sys; from amlsdk.resources import modelfiles as m; m.algorithm_of(object())\n"
        "heavy = {'numpy', 'sklearn', 'skops', 'onnx', 'onnxruntime', 'safetensors', 'torch', 'joblib', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

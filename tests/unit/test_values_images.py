"""Images of every kind as the bytes of a file."""

import io
import zlib

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.resources.values.images import image_bytes

mpl.use("Agg")
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.sampled_from([shape, (*shape, 3), (*shape, 4)])
)


def opened(content):
    return Image.open(io.BytesIO(content))


@settings(deadline=None)
@given(hnp.arrays(np.uint8, SHAPES))
def test_an_array_is_read_back_by_pillow_pixel_by_pixel(pixels):
    content, suffix = image_bytes(pixels)
    assert suffix == ".png"
    assert np.array_equal(np.asarray(opened(content)), pixels)


def test_other_layouts_and_types_of_arrays():
    grey = np.array([[0.0, 0.5], [1.0, 0.25]])
    assert np.asarray(opened(image_bytes(grey)[0])).tolist() == [[0, 128], [255, 64]]
    assert np.asarray(opened(image_bytes(grey > 0.3)[0])).tolist() == [[0, 255], [255, 0]]
    turned = np.arange(24, dtype=np.uint8).reshape(2, 4, 3).transpose(1, 0, 2)[::-1]
    assert np.array_equal(np.asarray(opened(image_bytes(turned)[0])), turned)
    assert opened(image_bytes(np.zeros((2, 3, 1), np.uint8))[0]).size == (3, 2)


def test_figures_axes_and_pyplot():
    from matplotlib import pyplot as plt

    plt.close("all")
    with pytest.raises(InvalidArgument, match="no open figure"):
        image_bytes(plt)
    figure, axes = plt.subplots(figsize=(2, 1), dpi=50)
    axes.plot([1, 2])
    for value in (figure, axes, plt):
        content, suffix = image_bytes(value)
        assert (opened(content).size, suffix) == ((100, 50), ".png")
    plt.close("all")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "F", "HSV"])
def test_images_of_pil_in_every_mode(mode):
    content, suffix = image_bytes(Image.new(mode, (3, 2)))
    assert (opened(content).size, suffix) == ((3, 2), ".png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_file_is_kept_byte_by_byte_under_the_suffix_of_its_content(tmp_path, form):
    path = tmp_path / "image.dat"
    Image.new("RGB", (3, 2)).save(path, format=form)
    suffix = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif", "WEBP": ".webp"}[form]
    assert image_bytes(path) == image_bytes(str(path)) == (path.read_bytes(), suffix)
    assert image_bytes(path.read_bytes()) == (path.read_bytes(), suffix)


@pytest.mark.parametrize("head", ["", "\ufeff", '<?xml version="1.0"?>\n', "<!-- a > b -->\n<!DOCTYPE svg PUBLIC 'x'>"])
def test_svg(head):
    content = f"{head}<svg xmlns='http://www.w3.org/2000/svg'/>".encode()
    assert image_bytes(content) == (content, ".svg")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"<html><svg></svg></html>", "are no PNG"),
        (b"", "are no PNG"),
        (np.zeros((3, 8, 8), np.uint8), r"\(3, 8, 8\); put the channels last"),
        (np.zeros((8, 8, 2), np.uint8), r"not \(8, 8, 2\)"),
        (np.zeros((0, 8), np.uint8), r"not \(0, 8\)"),
        (np.zeros(8, np.uint8), r"not \(8,\)"),
        (np.zeros((2, 2), np.uint16), "not uint16"),
        (np.full((2, 2), 255.0), "from 255 to 255"),
        (np.full((2, 2), np.nan), "from nan to nan"),
        (object(), "not builtins.object"),
        (None, "not builtins.NoneType"),
    ],
)
def test_what_is_no_image_is_refused(value, message):
    with pytest.raises(InvalidArgument, match=message):
        image_bytes(value)


def test_files_that_are_no_images(tmp_path):
    with pytest.raises(NotFound, match="there is no image"):
        image_bytes(tmp_path / "missing.png")
    with pytest.raises(InvalidArgument, match="can't be read"):
        image_bytes(tmp_path)
    (tmp_path / "fake.png").write_text("text")
    with pytest.raises(InvalidArgument, match=r"fake\.png' are no PNG"):
        image_bytes(tmp_path / "fake.png")


def test_a_plain_area_becomes_small():
    content, _ = image_bytes(np.full((1000, 1000, 3), 200, np.uint8))
    assert len(content) < 10_000
    assert zlib.crc32(content[12:29]) == int.from_bytes(content[29:33], "big")

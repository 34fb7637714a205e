"""Points of a metric as they travel."""

import math
from array import array

import pytest

from amlsdk.errors import OperationFailed
from amlsdk.records import series as records
from amlsdk.records.series import SeriesRecord, pack, unpack


def series(count):
    return SeriesRecord(
        steps=array("q", range(count)),
        times_us=array("q", (-(2**63) + number for number in range(count))),
        values=array("d", (math.inf if number % 3 else number / 7 for number in range(count))),
    )


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
def test_points_arrive_as_they_were_sent(monkeypatch, count):
    """In pieces, so that nothing is held beside the columns; as often as the stream is begun."""
    monkeypatch.setattr(records, "_PIECE", 32)
    stream = pack(series(count))
    assert unpack(stream.read()) == unpack(stream.read()) == series(count)
    assert stream.size_bytes == len(stream.read()) == 16 + 24 * count
    assert max(map(len, stream)) <= 32


@pytest.mark.parametrize("cut", [0, 7, 15, -1])
def test_what_was_cut_short_is_no_series(cut):
    with pytest.raises(OperationFailed, match="not a whole series"):
        unpack(pack(series(3)).read()[:cut])

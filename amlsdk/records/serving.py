"""What a scoring service is told: its contract with callers (`service.json` in an image) and its limits.

A folder that is served (a bundle; `/opt/amlsdk` in an image) has

    runtime/serve.py  begins the service: python -I -S runtime/serve.py
    runtime/          amlsdk's own part: `amlsdk.scoring` and what it imports of amlsdk
    site/             the dependencies, as a folder of packages
    models/<name>/    the files of each model
    app/              the scoring script, what lies beside it, service.json, and a link to each file of the models
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["BUNDLE", "ColumnSpec", "InputSpec", "ScoringSettings", "ServedModel", "ServiceSpec"]

# Where the bundle stands in an image.
BUNDLE = "opt/amlsdk"


@attrs.frozen(kw_only=True)
class ColumnSpec:
    """A column of a table.

    Args:
        name: Of the column.
        kind: `number`, `integer`, `boolean`, `string` or `datetime` (ISO 8601 text).
        dtype: Of numpy or pandas, such as `float64` or `category`.
        nullable: Whether null is accepted: the sample had missing values there.
        categories: For `category`, the values there are; else empty.
    """

    name: str
    kind: str
    dtype: str
    nullable: bool = False
    categories: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class InputSpec:
    """An argument of `run`, and how its value is made from JSON.

    Args:
        name: Of the argument.
        kind: `frame` (a pandas DataFrame; JSON: a list of rows, each an object by column or a list in the order of
            columns), `array` (numpy; JSON: nested lists) or `json` (passed as it is).
        as_array: Whether a frame is passed as a numpy array (rows, columns), as its model gave the same for both:
            scoring then needs no pandas.
        columns: Of a frame.
        dtype: Of an array.
        shape: Of an array; None where any length is accepted, as for the rows.
        schema: JSON Schema (2020-12) of the value.
    """

    name: str
    kind: str
    schema: Mapping[str, Any]
    as_array: bool = False
    columns: tuple[ColumnSpec, ...] = ()
    dtype: str | None = None
    shape: tuple[int | None, ...] = ()


@attrs.frozen(kw_only=True)
class ServedModel:
    """A model of a service.

    Args:
        name: Its files stand in `models/<name>`.
        version: Its number.
        digest: Of the FileSet of its files.
        format: `skops`, `onnx`, `safetensors`, `pickle` or `files`.
    """

    name: str
    version: int
    digest: str
    format: str


@attrs.frozen(kw_only=True)
class ServiceSpec:
    """The contract of a scoring service.

    Args:
        name: Of the manifest.
        script: Path of the scoring script in `app`.
        models: What it serves.
        inputs: The arguments of `run`, in order; a request is a JSON object that has each by name.
        output: JSON Schema of the result; a reply is `{"result": ...}`.
        sample: A request that is answered: the sample data as real JSON.
        sample_result: What it was answered when the manifest was made.
    """

    name: str
    script: str
    models: tuple[ServedModel, ...] = ()
    inputs: tuple[InputSpec, ...] = ()
    output: Mapping[str, Any] = attrs.field(factory=dict)
    sample: Mapping[str, Any] = attrs.field(factory=dict)
    sample_result: Any = None


@attrs.frozen(kw_only=True)
class ScoringSettings:
    """Limits of a scoring service, for each of its processes.

    Args:
        keys: Whether callers need a key.
        max_body_bytes: A larger body is refused with 413.
        max_waiting: So many requests may wait for their turn; further ones are refused with 429.
        max_batch: At most so many rows are scored in one call.
        timeout_s: A request that is not answered within so many seconds is answered with 503.
        read_timeout_s: A request has to arrive within so many seconds, else 408.
        keep_alive_s: An idle connection is closed after so many seconds.
        drain_s: On stop, requests in flight have so many seconds to be answered.
    """

    keys: bool = True
    max_body_bytes: int = 16_777_216
    max_waiting: int = 1024
    max_batch: int = 256
    timeout_s: float = 60.0
    read_timeout_s: float = 30.0
    keep_alive_s: float = 75.0
    drain_s: float = 30.0

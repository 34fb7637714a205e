"""What a service says about itself: its contract as OpenAPI, its counts for Prometheus, a page for people."""

import re

from openapi_spec_validator import validate
from scoring_bundles import NUMBERS, SAMPLE

from amlsdk.records.serving import ServedModel, ServiceSpec
from amlsdk.scoring.metrics import metrics_text
from amlsdk.scoring.openapi import openapi
from amlsdk.scoring.page import PAGE
from amlsdk.sketches.counters import Counters

SPEC = ServiceSpec(
    name="wine",
    script="score.py",
    models=(ServedModel(name="wine", version=3, digest="0" * 64, format="skops"),),
    inputs=(NUMBERS,),
    output={"type": "array", "items": {"type": "number"}},
    sample=SAMPLE,
    sample_result=[3.5],
)


def test_the_contract_is_valid_openapi_with_the_sample_as_its_example():
    document = openapi(SPEC, keys=True)
    validate(document)
    content = document["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]
    assert content["example"] == SAMPLE
    assert content["schema"]["required"] == ["data"]
    assert document["info"]["version"] == "wine 3"
    assert document["paths"]["/score"]["post"]["security"] == [{"key": []}]


def test_without_keys_the_contract_asks_for_none():
    document = openapi(SPEC, keys=False)
    validate(document)
    assert "security" not in document["paths"]["/score"]["post"]


def test_a_service_without_inputs_or_sample_has_a_valid_contract():
    validate(openapi(ServiceSpec(name="hello", script="score.py"), keys=True))


def test_metrics_are_in_the_text_format_with_cumulative_buckets():
    counters = Counters(None)
    for seconds in (0.0004, 0.003, 0.003, 70):
        counters.count_request(200, seconds)
    counters.count_request(422, 0.0001)
    counters.count_batch(8)
    text = metrics_text(counters.traffic(), waiting=2, in_flight=1)
    assert text.endswith("\n")
    assert 'amlsdk_requests_total{code="200"} 4' in text
    assert "amlsdk_waiting 2" in text
    assert "amlsdk_in_flight 1" in text
    buckets = [int(count) for count in re.findall(r"amlsdk_request_seconds_bucket\{.*\} (\d+)", text)]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 5
    assert 'amlsdk_request_seconds_bucket{le="0.0025"} 2' in text
    assert 'amlsdk_request_seconds_bucket{le="0.005"} 4' in text
    assert 'amlsdk_batch_rows_bucket{le="8"} 1' in text
    assert 'amlsdk_batch_rows_bucket{le="4"} 0' in text
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? [-+.e\d]+', line), line


def test_the_page_fetches_nothing_from_elsewhere():
    assert not re.search(rb"""(src|href)\s*=|https?://|@import""", PAGE)

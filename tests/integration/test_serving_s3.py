"""`aml serve --blobs s3://...`: what a team stores is in a bucket."""

import hashlib
import random
import subprocess

import pytest
from s3_server import s3_server
from served import AML, serving

from amlsdk.records.filesets import PART_BYTES


@pytest.fixture(scope="module")
def server():
    with s3_server() as started:
        yield started


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """What clients keep is kept in the test's own folder."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "client"))


def test_a_file_of_one_client_is_read_by_another(server, tmp_path):
    bucket = server.new_bucket()
    content = random.Random(4).randbytes(3 * PART_BYTES + 5)
    files = {"large.bin": content, "small.txt": b"acidity 0.7\n"}
    for name, each in files.items():
        (tmp_path / name).write_bytes(each)
    with serving(tmp_path / "root", "--blobs", f"s3://{bucket}/team", env=server.environment) as served:
        with served.connect() as ws:
            run = ws.projects.create("p").experiments.create("e").start_run()
            for name in files:
                run.upload_file(f"outputs/{name}", tmp_path / name)
            run.complete()
        with served.connect() as ws:
            [found] = ws.projects["p"].experiments["e"].runs
            for name, each in files.items():
                with found.files.open(f"outputs/{name}") as file:
                    assert file.read() == each
        assert served.end() == 0
        for secret in (server.secret, server.key):
            assert secret not in served.said()
    keys = server.keys(bucket)
    for each in files.values():
        [kept] = [key for key in keys if key.endswith(f"/blobs/{hashlib.sha256(each).hexdigest()}")]
        assert kept.startswith("team/workspaces/")
        assert server.client.head_object(Bucket=bucket, Key=kept)["ContentLength"] == len(each)
    assert not any("/parts/" in key or "/drafts/" in key for key in keys)


def test_a_service_does_not_begin_without_its_bucket(server, tmp_path):
    command = [*AML, "serve", "--port", "0", "--root", tmp_path / "root", "--blobs", "s3://not-made/team"]
    env = {"HOME": str(tmp_path), **server.environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "s3://not-made/team: status 404 NoSuchBucket; make it first: aws s3 mb s3://not-made" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.secret not in done.stderr

"""The process deployer with the real scoring service."""

import attrs
import pytest
from deployer_images import JSON_SPEC, scoring_image, small_image

from amlsdk.deployers.process import ProcessDeployer
from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ScoringSettings
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.testing import DeployerTestCase


class TestProcessDeployer(DeployerTestCase):
    def make_deployer(self):
        return ProcessDeployer()

    def make_image(self, blobs, script):
        return scoring_image(blobs, script, JSON_SPEC)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": "python.tar"}, "has the base 'python.tar'"),
        ({"python": "3.7"}, "is made for Python 3.7"),
        ({"platform": "linux/riscv64"}, "is made for linux/riscv64"),
        ({"status": "Building"}, "is Building"),
    ],
)
def test_an_image_for_somewhere_else_is_refused_with_the_reason(tmp_path, changes, words):
    image = small_image(FolderBlobStore(tmp_path / "blobs"), "def run(data): return data")
    with pytest.raises(InvalidArgument, match=words):
        ProcessDeployer().check(attrs.evolve(image, **changes), ScoringSettings(), 1)


@pytest.mark.parametrize("replicas", [0, -1, 257])
def test_an_absurd_number_of_replicas_is_refused(tmp_path, replicas):
    image = small_image(FolderBlobStore(tmp_path / "blobs"), "def run(data): return data")
    with pytest.raises(InvalidArgument, match="replicas"):
        ProcessDeployer().check(image, ScoringSettings(), replicas)

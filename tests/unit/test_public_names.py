"""What `import amlsdk` gives, and what it costs."""

import subprocess
import sys

import pytest

import amlsdk


def test_the_public_names_are_these():
    assert amlsdk.__all__ == [
        "Config",
        "Deployment",
        "Experiment",
        "Image",
        "Manifest",
        "Model",
        "Project",
        "Run",
        "ScoringSettings",
        "Subscription",
        "Team",
        "Workspace",
        "connect",
        "errors",
    ]
    for name in amlsdk.__all__:
        assert getattr(amlsdk, name) is not None
    assert set(amlsdk.__all__) <= set(dir(amlsdk))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Runs'"):
        _ = amlsdk.Runs


def _modules_after(code):
    script = f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_loads_no_third_party_module_but_attrs():
    loaded = _modules_after("import amlsdk")
    assert loaded - set(sys.stdlib_module_names) <= {"amlsdk", "attr", "attrs"}


def test_remote_mode_loads_neither_a_database_nor_a_server():
    loaded = _modules_after("import amlsdk.remote, amlsdk.resources.workspace, amlsdk.resources.submitting")
    assert not loaded & {"sqlalchemy", "alembic", "starlette", "uvicorn", "docker", "azure", "kubernetes", "pyspark"}

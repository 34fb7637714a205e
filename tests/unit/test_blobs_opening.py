import hashlib

import pytest

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, MissingDependency
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.azure import AzureBlobStore
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.storage.blobs.fsspec import FsspecBlobStore
from amlsdk.storage.blobs.opening import open_store, without_password

KEY = "c2VjcmV0"
DIGEST = hashlib.sha256(b"x").hexdigest()


@pytest.fixture(autouse=True)
def _no_account(monkeypatch):
    for name in ("CONNECTION_STRING", "ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)


@pytest.mark.parametrize("form", ["{}", "file://{}", "FILE://localhost{}", "file:{}"])
def test_a_folder_is_a_path_or_a_url(tmp_path, form):
    store = open_store(form.format(tmp_path), prefix="workspaces/a")
    assert store == FolderBlobStore(tmp_path / "workspaces" / "a" / "blobs")
    assert list(tmp_path.iterdir()) == []


def test_a_url_may_have_what_urls_quote(tmp_path):
    assert open_store(f"file://{tmp_path}/a%20b").folder == tmp_path / "a b" / "blobs"


def test_stores_with_other_prefixes_know_nothing_of_each_other(tmp_path):
    open_store(tmp_path, prefix="workspaces/a").put(DIGEST, ByteStream.of(b"x"))
    assert open_store(tmp_path, prefix="workspaces/b").missing([DIGEST]) == (DIGEST,)
    assert open_store(tmp_path, prefix="workspaces/a").missing([DIGEST]) == ()


@pytest.mark.parametrize("prefix", ["..", "a/../b", "/a", "a//b", "a/", "a b", "a\n"])
def test_a_prefix_leads_nowhere_else(tmp_path, prefix):
    with pytest.raises(InvalidArgument, match="can't be the place of blobs"):
        open_store(tmp_path, prefix=prefix)


@pytest.mark.parametrize("url", ["file://elsewhere/folder", "file:folder"])
def test_a_folder_of_another_machine_is_refused(url):
    with pytest.raises(InvalidArgument, match="no folder of this machine"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("azure://wine@account", "https://account.blob.core.windows.net/wine"),
        ("azure://wine@account/team/a", "https://account.blob.core.windows.net/wine"),
        ("azure://wine@account.blob.core.chinacloudapi.cn", "https://account.blob.core.chinacloudapi.cn/wine"),
    ],
)
def test_a_container_of_an_account(monkeypatch, url, place):
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    store = open_store(url, prefix="workspaces/a")
    assert isinstance(store, AzureBlobStore)
    assert store._container.url == place
    assert store._named("blobs/x").endswith("workspaces/a/blobs/x")


def test_a_container_of_the_account_of_the_environment(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2024&sig=secret")
    assert open_store("azure://wine")._container.url.startswith("https://account.blob.core.windows.net/wine?sv=2024")


def test_an_identity_is_what_is_used_without_a_key(monkeypatch):
    from azure.identity import DefaultAzureCredential

    assert isinstance(open_store("azure://wine@account")._container.credential, DefaultAzureCredential)


def test_a_container_without_an_account_is_refused():
    with pytest.raises(InvalidArgument, match="no storage account is named"):
        open_store("azure://wine")


@pytest.mark.parametrize(
    "url",
    ["azure://", "azure://Wine", "azure://wine:secret@account", "azure://wine@account?sig=secret", "azure://w/.."],
)
def test_what_names_no_container_is_refused_and_keys_are_not_repeated(monkeypatch, url):
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    with pytest.raises(InvalidArgument) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["nonsense", "AccountKey=secret"])
def test_a_connection_string_that_is_none_is_not_repeated(monkeypatch, text):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    with pytest.raises(InvalidArgument, match="can't be read") as caught:
        open_store("azure://wine")
    assert "secret" not in str(caught.value)


def test_every_other_scheme_is_for_fsspec(tmp_path):
    store = open_store(f"memory:/{tmp_path}", prefix="a")
    assert isinstance(store, FsspecBlobStore)
    store.check()


@pytest.mark.parametrize("url", ["nonsense://x", "zip://a::memory://b"])
def test_a_url_that_fsspec_does_not_know_is_refused(url):
    with pytest.raises(InvalidArgument, match="opened|no one place"):
        open_store(url)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(plugins, "require", without("s3fs"))
    with pytest.raises(MissingDependency, match="s3fs"):
        open_store("s3://bucket/folder")
    monkeypatch.undo()
    monkeypatch.setattr(plugins, "require", without("azure"))
    with pytest.raises(MissingDependency, match="azure"):
        open_store("azure://wine@account")
    monkeypatch.setattr(plugins, "require", without("fsspec"))
    with pytest.raises(MissingDependency, match="fsspec"):
        open_store("memory://x")


def without(missing):
    """The look-up of optional packages where one is not installed."""
    found = plugins.require

    def require(module, *, extra):
        return found(f"amlsdk_{module}" if module.startswith(missing) else module, extra=extra)

    return require


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sftp://user:secret@host/folder", "sftp://...@host/folder"),
        ("s3://bucket/folder?key=secret", "s3://bucket/folder"),
        ("s3://bucket/folder", "s3://bucket/folder"),
    ],
)
def test_passwords_are_not_shown(url, shown):
    assert without_password(url) == shown

"""Secrets, in each mode."""

import sqlite3

import pytest

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed, Unavailable
from amlsdk.operations.secrets import DeleteSecret, GetSecret, ListSecrets, SetSecret
from amlsdk.records.secrets import MOST_SECRET_BYTES
from amlsdk.storage.secrets.keys import KEY_VARIABLE

VALUE = "hunter2 ä\n'quoted' \\ and a second line"


def set_secret(service, name="db-password", value=VALUE):
    return service.send(SetSecret(name=name, value=value))


def get(service, name="db-password"):
    return service.send(GetSecret(name=name)).value


def test_a_secret_is_read_back_as_it_was_set(service):
    made = set_secret(service)
    assert (made.name, made.created_at) == ("db-password", made.updated_at)
    assert get(service) == VALUE


def test_a_list_has_names_and_no_values(service):
    for name in ("b", "a", "C_1"):
        set_secret(service, name)
    page = service.send(ListSecrets(limit=2))
    rest = service.send(ListSecrets(limit=2, after=page.next_token))
    assert [record.name for record in (*page.items, *rest.items)] == ["C_1", "a", "b"]
    assert VALUE not in repr((page, rest))


def test_a_secret_that_is_set_again_has_the_new_value(service):
    first = set_secret(service)
    second = set_secret(service, value="other")
    assert get(service) == "other"
    assert second.created_at == first.created_at
    assert second.updated_at >= first.updated_at


def test_a_deleted_secret_is_gone_and_can_be_set_again(service):
    set_secret(service)
    for _ in range(2):
        service.send(DeleteSecret(name="db-password"))
    with pytest.raises(NotFound, match="this workspace has no secret 'db-password'"):
        get(service)
    set_secret(service, value="again")
    assert get(service) == "again"


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a.b", "ä", "a" * 128, "../a", "a/b", "~"])
def test_what_can_not_name_a_secret_is_refused(service, name):
    for request in (SetSecret(name=name, value="x"), GetSecret(name=name), DeleteSecret(name=name)):
        with pytest.raises(InvalidArgument, match="can't name a secret"):
            service.send(request)


@pytest.mark.parametrize("value", ["", "x" * (MOST_SECRET_BYTES + 1), "ä" * MOST_SECRET_BYTES, "x\0y" * 10])
def test_what_can_not_be_a_secret_is_refused_without_being_shown(service, value):
    with pytest.raises(InvalidArgument) as caught:
        set_secret(service, value=value)
    assert not value or value[:20] not in str(caught.value)
    assert service.send(ListSecrets()).items == ()


def test_the_longest_secret_is_kept(service):
    set_secret(service, value="x" * MOST_SECRET_BYTES)
    assert len(get(service)) == MOST_SECRET_BYTES


def test_no_file_of_a_workspace_has_a_secret_in_it(folder_backend):
    service = folder_backend.open()
    set_secret(service, value="hunter2-not-to-be-found")
    get(service)
    found = [path for path in folder_backend.folder.rglob("*") if path.is_file()]
    assert folder_backend.folder / "audit.jsonl" in found
    assert not [path for path in found if b"hunter2" in path.read_bytes()]
    audit = (folder_backend.folder / "audit.jsonl").read_text()
    assert '"operation":"SetSecret"' in audit
    assert '"name":"db-password"' in audit


def test_a_secret_that_was_moved_to_another_name_is_not_opened(service, folder_backend):
    for name in ("a", "b"):
        set_secret(service, name, f"value of {name}")
    with sqlite3.connect(folder_backend.folder / "catalogue.sqlite") as catalogue:
        catalogue.execute("UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'a') WHERE name = 'b'")
    catalogue.close()
    assert get(service, "a") == "value of a"
    with pytest.raises(OperationFailed, match="the secret 'b' can't be opened with any key that is here"):
        get(service, "b")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01short", b"\x02" + bytes(40), b"\x01" + bytes(60)])
def test_a_damaged_secret_says_what_to_do(service, folder_backend, sealed):
    set_secret(service)
    with sqlite3.connect(folder_backend.folder / "catalogue.sqlite") as catalogue:
        catalogue.execute("UPDATE secret SET sealed = ?", (sealed,))
    catalogue.close()
    with pytest.raises(OperationFailed, match="restore the key that it was set with, or set the secret again"):
        get(service)


def test_without_its_key_a_secret_says_that_it_is_missing(folder_backend):
    service = folder_backend.open()
    set_secret(service)
    key = folder_backend.folder / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    text = key.read_text()
    key.unlink()
    with pytest.raises(Unavailable, match=r"secrets\.key.*can't be read.*restore it"):
        get(service)
    key.write_text("no key at all")
    with pytest.raises(Unavailable, match="is expected to have keys of secrets"):
        get(service)
    key.write_text(text)
    assert get(service) == VALUE


def test_a_new_key_before_the_old_one_seals_while_both_open(folder_backend, monkeypatch):
    service = folder_backend.open()
    set_secret(service, "old")
    key = folder_backend.folder / "secrets.key"
    old, new = key.read_text(), "A" * 43 + "="
    key.write_text(f"{new}\n{old}")
    set_secret(service, "new")
    assert get(service, "old") == get(service, "new") == VALUE
    key.write_text(new)
    assert get(service, "new") == VALUE
    with pytest.raises(OperationFailed, match="'old' can't be opened"):
        get(service, "old")
    # Several servers are given the keys by their environment, and then need no file.
    key.unlink()
    monkeypatch.setenv(KEY_VARIABLE, f"{new},{old.strip()}")
    assert get(service, "old") == get(service, "new") == VALUE
    assert not key.exists()

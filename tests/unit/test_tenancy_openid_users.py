"""Who signed in with a provider, as a user of the service: found, invited before, or new."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select

from amlsdk.errors import Denied
from amlsdk.records.ids import new_id
from amlsdk.storage.tenancy.schema import user
from amlsdk.tenancy import TenantHost
from amlsdk.tenancy.openid.provider import Identity
from amlsdk.tenancy.openid.users import user_of

ISSUER = "https://login.example.com"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    url = request.getfixturevalue("postgres_database") if request.param == "postgresql" else None
    host = TenantHost(tmp_path / "service", database=url)
    yield host.directory.database
    host.close()


def invited(database, name):
    made = new_id()
    with database.write() as connection:
        connection.execute(insert(user), {"id": made, "name": name, "created_at": 0})
    return made


def names(database):
    with database.read() as connection:
        return set(connection.execute(select(user.c.name)).scalars())


def test_many_at_once_make_one_user(database):
    found = Identity(subject="1", name="ada@example.com")
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: user_of(database, ISSUER, found), range(16)))
    assert len(made) == 1
    assert names(database) == {"owner", "ada@example.com"}


def test_whoever_was_invited_is_known_by_their_name_and_then_by_their_subject(database):
    ada = invited(database, "Ada@example.com")
    assert user_of(database, ISSUER, Identity(subject="1", name="ada@example.com")) == ada
    # A new address, or none, changes nothing of who it is.
    assert user_of(database, ISSUER, Identity(subject="1", name="ada@elsewhere.example.com")) == ada
    assert user_of(database, ISSUER, Identity(subject="1", name=None)) == ada
    with pytest.raises(Denied, match="somebody else"):
        user_of(database, ISSUER, Identity(subject="2", name="ada@example.com"))
    with pytest.raises(Denied, match="somebody else"):
        user_of(database, "https://another.example.com", Identity(subject="1", name="ada@example.com"))


def test_of_two_names_that_differ_in_capitals_only_the_same_one_counts(database):
    both = {name: invited(database, name) for name in ("ada@example.com", "Ada@example.com")}
    assert user_of(database, ISSUER, Identity(subject="1", name="ada@example.com")) == both["ada@example.com"]
    assert user_of(database, ISSUER, Identity(subject="2", name="ADA@example.com")) not in both.values()

"""Secrets: names in the catalogue, values where the secret store keeps them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.local.handling import Local, handles
from amlsdk.local.pages import page_of
from amlsdk.operations.secrets import DeleteSecret, GetSecret, ListSecrets, SetSecret
from amlsdk.records.names import check_text
from amlsdk.records.pages import Ack, Page
from amlsdk.records.secrets import MOST_SECRET_BYTES, SecretRecord, SecretValue, check_secret_name
from amlsdk.service import Principal
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import secret
from amlsdk.storage.catalogue.times import from_us, now_us

__all__: list[str] = []

_SHOWN = (secret.c.name, secret.c.user, secret.c.created_at, secret.c.updated_at)


@handles(SetSecret)
def set_secret(local: Local, principal: Principal, request: SetSecret) -> SecretRecord:
    """Keep a secret, over what was kept under its name."""
    check_secret_name(request.name)
    check_text(request.value, what=f"the secret {request.name!r}")
    if not request.value or len(request.value.encode()) > MOST_SECRET_BYTES:
        raise InvalidArgument(f"the secret {request.name!r} has 1 to {MOST_SECRET_BYTES} bytes; keep a file elsewhere")
    sealed, now = local.secrets.seal(request.name, request.value), now_us()
    row = {"name": request.name, "sealed": sealed, "user": principal.name, "created_at": now, "updated_at": now}
    with local.database.write() as connection:
        statement = insert(connection, secret).values(row)
        changed = {name: statement.excluded[name] for name in ("sealed", "user", "updated_at")}
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))
        return _record(connection.execute(select(*_SHOWN).where(secret.c.name == request.name)).one())


@handles(GetSecret)
def get_secret(local: Local, _: Principal, request: GetSecret) -> SecretValue:
    """Read a secret."""
    check_secret_name(request.name)
    with local.database.read() as connection:
        row = connection.execute(select(secret.c.sealed).where(secret.c.name == request.name)).first()
    if row is None:
        raise NotFound(f"this workspace has no secret {request.name!r}")
    return SecretValue(name=request.name, value=local.secrets.open(request.name, row.sealed))


@handles(ListSecrets)
def list_secrets(local: Local, _: Principal, request: ListSecrets) -> Page[SecretRecord]:
    """List names."""
    with local.database.read() as connection:
        return page_of(
            connection, select(*_SHOWN), [secret.c.name], request, lambda rows: [_record(row) for row in rows]
        )


@handles(DeleteSecret)
def delete_secret(local: Local, _: Principal, request: DeleteSecret) -> Ack:
    """Delete a secret."""
    check_secret_name(request.name)
    with local.database.write() as connection:
        connection.execute(delete(secret).where(secret.c.name == request.name))
    # Only now: were it the other way round, a name could be left whose value is gone.
    local.secrets.forget(request.name)
    return Ack()


def _record(row: Any) -> SecretRecord:
    return SecretRecord(
        name=row.name, user=row.user, created_at=from_us(row.created_at), updated_at=from_us(row.updated_at)
    )

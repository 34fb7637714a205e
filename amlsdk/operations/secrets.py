"""Operations on the secrets of a workspace."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.pages import Ack, Page
from amlsdk.records.secrets import SecretRecord, SecretValue

__all__ = ["DeleteSecret", "GetSecret", "ListSecrets", "SetSecret"]


@operation("PUT", "/v1/secrets/{name}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class SetSecret(Request[SecretRecord]):
    """Keep a secret, over what was kept under its name."""

    name: str
    value: str = attrs.field(repr=False)


@operation("GET", "/v1/secrets/{name}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class GetSecret(Request[SecretValue]):
    """Read a secret."""

    name: str


@operation("GET", "/v1/secrets", role=Role.READER)
@attrs.frozen(kw_only=True)
class ListSecrets(Request[Page[SecretRecord]]):
    """List the names of secrets."""

    limit: int = 100
    after: str | None = None


@operation("DELETE", "/v1/secrets/{name}", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class DeleteSecret(Request[Ack]):
    """Delete a secret; none being there is no error."""

    name: str

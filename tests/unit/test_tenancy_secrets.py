"""Where a service keeps its secrets."""

import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.storage.secrets.key_vault import KeyVaultSecrets
from amlsdk.storage.secrets.sealed import SealedSecrets
from amlsdk.tenancy import TenantHost


@pytest.mark.parametrize(
    ("secrets", "kind"), [(None, SealedSecrets), ("https://team.vault.azure.net", KeyVaultSecrets)]
)
def test_each_workspace_has_secrets_where_the_service_keeps_them(tmp_path, secrets, kind):
    host = TenantHost(tmp_path / "service", secrets=secrets)
    found = host.service(host.sign_in(host.first_token), None).send(GetWorkspace())
    assert isinstance(host.estate.local(found.id, found.name, None).secrets, kind)
    host.close()


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "https://team.vault.azure.net/secrets/x"])
def test_a_place_that_is_none_is_refused_before_anything_is_made(tmp_path, url):
    with pytest.raises(InvalidArgument, match="no place for secrets|no URL of a key vault"):
        TenantHost(tmp_path / "service", secrets=url)
    assert not (tmp_path / "service" / "service.sqlite").exists()

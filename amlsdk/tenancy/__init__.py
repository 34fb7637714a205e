"""What a team's service keeps: a directory of who may do what, and the workspaces themselves."""

from amlsdk.tenancy import members, subscription, teams, tokens, workspaces
from amlsdk.tenancy.host import TenantHost

__all__ = ["TenantHost", "members", "subscription", "teams", "tokens", "workspaces"]

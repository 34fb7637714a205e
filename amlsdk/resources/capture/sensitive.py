"""What looks like a secret: names of arguments, names of files, credentials in URLs."""

from __future__ import annotations

import fnmatch
import re

__all__ = [
    "MASK",
    "SECRET_FILES",
    "SECRET_FOLDERS",
    "is_secret_file",
    "is_secret_name",
    "without_credentials",
    "without_password",
]

MASK = "***"

# Patterns of file names, in lower case; `*` never matches `/`. Also given to git as pathspecs.
SECRET_FILES = (
    ".env*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".htpasswd",
    ".dockercfg",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "secrets.*",
    "*.secret",
    "service-account*.json",
    "service_account*.json",
)
SECRET_FOLDERS = (".env*", ".ssh", ".aws", ".gnupg")

_ANYWHERE = re.compile(r"passw|passphrase|secret|credential|api_?key|access_?key|private_?key|account_?key")
# Only as the last word: `max_tokens`, `token_dim` and `key_size` are ordinary parameters.
_LAST_WORD = re.compile(r"(?:^|_)(?:pass|pwd|token|key|auth|authorization|bearer|cookie|jwt|sas|dsn|pat)$")
_CONNECTION = re.compile(r"conn(?:ection)?_?str(?:ing)?$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# The second form is a password with a slash that should have been escaped: what stands for a port is no number.
_USER_INFO = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^/?#@:\s]+:(?!\d*(?:[/?#]|$))[^@\s]*@)")
_PASSWORD = re.compile(r"(?<=://)([^/?#@:\s]*):(?:[^/?#\s]*|(?!\d*(?:[/?#]|$))[^@\s]*)@")
_WEB = re.compile(r"(?:https?|ftps?)://", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Say whether an argument of this name is likely to hold a secret, as `--hf-token` or `api_key` do."""
    words = re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name).lower()).strip("_")
    return any(pattern.search(words) for pattern in (_ANYWHERE, _LAST_WORD, _CONNECTION))


def is_secret_file(path: str) -> bool:
    """Say whether a path (with `/`) is that of a file which is likely to hold secrets, as `.env` or `id_rsa` do."""
    *folders, name = path.lower().split("/")
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRET_FILES):
        return True
    return any(fnmatch.fnmatchcase(folder, pattern) for folder in folders for pattern in SECRET_FOLDERS)


def without_credentials(url: str) -> str:
    """Return a URL of a repository without password, token or query.

    Over HTTP the user goes too, since a token can stand there; `ssh://git@host` keeps its user.
    """
    if "://" not in url:
        return url
    bare = _USER_INFO.sub("", url) if _WEB.match(url) else without_password(url)
    return re.split(r"[?#]", bare, maxsplit=1)[0]


def without_password(text: str) -> str:
    """Return a text in which the password of every URL is masked."""
    return _PASSWORD.sub(rf"\1:{MASK}@", text) if "://" in text else text

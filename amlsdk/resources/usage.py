"""How a scoring service is called from elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

__all__ = ["Usage", "usage_of"]


@attrs.frozen(kw_only=True)
class Usage:
    """How a deployment is called; print it. It holds no key: `deployment.keys()` has them.

    Args:
        url: Where `POST` scores.
        headers: That a request has; the key stands as `<key>`.
        sample: A request body.
        curl: A command for a shell that has `aml`; it asks for the key itself.
        python: A program that needs only requests, and the key in the environment variable AMLSDK_KEY.
        openapi_url: Of the service's description, for the same key.
    """

    url: str
    headers: Mapping[str, str]
    sample: Mapping[str, Any]
    curl: str
    python: str
    openapi_url: str

    def __str__(self) -> str:
        headers = "\n".join(f"  {name}: {value}" for name, value in self.headers.items())
        return (
            f"POST {self.url}\n{headers}\n\n# shell\n{self.curl}\n\n# Python\n{self.python}\n"
            f"# OpenAPI (with the same key)\n{self.openapi_url}"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def usage_of(*, location: str, name: str, uri: str, sample: Mapping[str, Any]) -> Usage:
    """Describe how a deployment is called.

    Args:
        location: Of the workspace.
        name: Of the deployment.
        uri: Where `POST` scores.
        sample: A request body.
    """
    body = orjson.dumps(dict(sample)).decode()
    key = f"aml -w {shlex.quote(location)} deployment keys {shlex.quote(name)} --key primary"
    curl = (
        f'curl -sS -X POST {shlex.quote(uri)} -H "Authorization: Bearer $({key})" '
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
    python = (
        "import json, os, requests\n\n"
        f"body = json.loads({body!r})\n"
        "headers = {'Authorization': 'Bearer ' + os.environ['AMLSDK_KEY']}\n"
        f"reply = requests.post({uri!r}, json=body, headers=headers)\n"
        "reply.raise_for_status()\n"
        "print(reply.json()['result'])\n"
    )
    return Usage(
        url=uri,
        headers={"Authorization": "Bearer <key>", "Content-Type": "application/json"},
        sample=dict(sample),
        curl=curl,
        python=python,
        openapi_url=uri.removesuffix("/score") + "/openapi.json",
    )

"""`aml serve`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from amlsdk.cli.output import json_option
from amlsdk.cli.serve_openid import openid_of, openid_options
from amlsdk.errors import MissingDependency, Unavailable

if TYPE_CHECKING:
    from amlsdk.tenancy import TenantHost

__all__ = ["serve"]

_FILES = 8192


@click.command(context_settings={"auto_envvar_prefix": "AMLSDK_SERVE"})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FOLDER",
    help="What the service keeps on this machine. Default: ~/.amlsdk/service.",
)
@click.option("--database", metavar="URL", help="A PostgreSQL: postgresql+psycopg://... Default: SQLite in the folder.")
@click.option("--blobs", metavar="URL", help="Where files go: azure://..., any URL of fsspec. Default: the folder.")
@click.option("--secrets", metavar="URL", help="An Azure Key Vault: https://... Default: encrypted in the database.")
@click.option("--owner", default="owner", show_default=True, help="Name of the first owner, where the service is new.")
@click.option("--tls-certificate", type=click.Path(path_type=Path), metavar="FILE", help="Speak HTTPS with this (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Key of the certificate (PEM).")
@click.option(
    "--proxy-headers",
    metavar="ADDRESSES",
    help="Believe X-Forwarded-For and -Proto of these proxies: addresses or networks, with commas in between.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=500.0,
    show_default=True,
    help="Requests a second that a token may make; 0 sets no limit, and none for strangers either.",
)
@click.option(
    "--grace",
    "grace_s",
    envvar="AMLSDK_SERVE_GRACE",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long requests may go on after the end was asked for.",
)
@click.option(
    "--access-log",
    default="-",
    show_default=True,
    metavar="FILE",
    help="A line of JSON a request; - is standard error.",
)
@openid_options
@json_option
def serve(
    host: str,
    port: int,
    root: Path | None,
    owner: str,
    tls_certificate: Path | None,
    tls_key: Path | None,
    proxy_headers: str | None,
    rate: float,
    grace_s: float,
    access_log: str,
    as_json: bool,
    **places: str | None,
) -> None:
    """Serve workspaces to a team, until told to end (Ctrl-C, SIGTERM).

    The first time, the token of the first owner is printed, and nowhere else and never again. Several may serve one
    folder, or one database. Each option but --json can be given as AMLSDK_SERVE_<OPTION>, too.
    """
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together")
    _need_server()
    from amlsdk.server.limits import Limits
    from amlsdk.server.listening import Tls, Transport, listen
    from amlsdk.server.run import serve as run

    tls = None if tls_certificate is None or tls_key is None else Tls(certificate=tls_certificate, key=tls_key)
    transport = Transport(tls=tls, trusted_proxies=proxy_headers, grace_s=grace_s)
    transport.check()
    openid = openid_of(places)
    _write_logs(access_log)
    _open_many_files()
    # First: a new service shows its token once, and must not fail between that and the first request.
    listener = listen(host, port)
    served = _host(root or _default_root(), owner, {**places, "openid": openid})
    try:
        run(
            served,
            listener=listener,
            on_ready=lambda url: _announce(url, served, as_json=as_json),
            limits=Limits(rate=rate, burst=4 * rate) if rate else Limits(rate=None, stranger_rate=None),
            transport=transport,
        )
    finally:
        served.close()


def _need_server() -> None:
    try:
        import httptools
        import starlette
        import uvicorn
    except ImportError as error:
        raise MissingDependency(f"serving needs {error.name}: pip install 'amlsdk[server]'") from error
    del httptools, starlette, uvicorn


def _default_root() -> Path:
    return Path(os.environ.get("AMLSDK_HOME") or Path.home() / ".amlsdk") / "service"


def _host(root: Path, owner: str, places: Mapping[str, Any]) -> TenantHost:
    from amlsdk.tenancy import TenantHost

    given = {name: place for name, place in places.items() if place is not None}
    try:
        return TenantHost(root.expanduser().absolute(), owner=owner, **given)
    except OSError as error:
        raise Unavailable(
            f"the service can't be kept in {str(root)!r}: {error.strerror}; make the folder writable for this user, "
            "or name another with --root"
        ) from error


def _announce(url: str, served: TenantHost, *, as_json: bool) -> None:
    token = served.first_token
    if as_json:
        facts = {"url": url, "root": str(served.root), "token": token, "pid": os.getpid()}
        click.echo(orjson.dumps(facts).decode())
        return
    click.echo(f"serving {url} from {served.root}")
    if token is not None:
        click.echo(
            f"\nThe first owner's token, shown only now:\n\n    {token}\n\n"
            f"Keep it with `aml login {url}`, or give it as AMLSDK_TOKEN; then, from Python,\n\n"
            f"    amlsdk.connect({url!r})\n"
        )


def _write_logs(access_log: str) -> None:
    """Let requests be written down, each as a line of JSON, and errors of the server with all that is known of them."""
    access = logging.getLogger("amlsdk.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    access.addHandler(_access_handler(access_log))
    told = logging.StreamHandler()
    told.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in ("amlsdk.server", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        logger.addHandler(told)


def _access_handler(access_log: str) -> logging.Handler:
    if access_log == "-":
        return logging.StreamHandler()
    try:
        # Opened again where it was moved away, as logrotate does.
        return WatchedFileHandler(access_log, encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            f"the access log {access_log!r} can't be written: {error.strerror}; name another file, or - for standard "
            "error"
        ) from error


def _open_many_files() -> None:
    """Let this process have as many connections as the system allows; often a shell allows fewer."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

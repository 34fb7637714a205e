"""An S3 of the tests' own: moto's server on loopback, which knows who may do what."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys

import boto3

# Creating a user, allowing it something, giving it a key: what comes after these must be signed.
_UNSIGNED = 3
_PAGE = 5


class S3Server:
    """A running server with one user, who may do anything with buckets.

    Args:
        address: Where it answers.
        key: Name of the user's key.
        secret: What belongs to the key.
        client: A client of boto3 for it, past any store.
    """

    def __init__(self, address, *, key, secret, client):
        self.address, self.key, self.secret, self.client = address, key, secret, client

    @property
    def environment(self):
        """What a process that uses the server has in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def new_bucket(self):
        """Make a bucket and return its name."""
        name = f"wine-{secrets.token_hex(6)}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket):
        """Names of all objects of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))

    def uploads(self, bucket):
        """Names of all objects that were begun to be sent in parts, and neither finished nor given up."""
        return [found["Key"] for found in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]


@contextlib.contextmanager
def s3_server():
    """Start a server that keeps all in memory and gives listings in short pages, and end it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    process = subprocess.Popen(
        [sys.executable, __file__],
        env={
            **inherited,
            "INITIAL_NO_AUTH_ACTION_COUNT": str(_UNSIGNED),
            "MOTO_S3_DEFAULT_MAX_KEYS": str(_PAGE),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        assert address, f"the server did not start: it ended with {process.wait()}"
        key, secret = _new_user(address)
        with contextlib.closing(_client("s3", address, key, secret)) as client:
            yield S3Server(address, key=key, secret=secret, client=client)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _new_user(address):
    with contextlib.closing(_client("iam", address, "nobody", "nothing")) as iam:
        iam.create_user(UserName="wine")
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="wine", PolicyName="all", PolicyDocument=policy)
        made = iam.create_access_key(UserName="wine")["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]


def _client(service, address, key, secret):
    return boto3.client(
        service,
        endpoint_url=address,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


def _serve():
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201  # it is what the starter waits for
    server.serve_forever()


if __name__ == "__main__":
    _serve()

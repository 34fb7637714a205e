"""End with 0 where the service on this machine is ready, else say why not: python healthy.py [PORT]

It speaks as the service was told to by the environment. Which certificate that shows is nothing to a neighbour.
"""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPSConnection

TIMEOUT_S = 2.5


def answer(port: int) -> tuple[int, str]:
    """Return the status and the text of `/readyz`, asked past any proxy."""
    if os.environ.get("AMLSDK_SERVE_TLS_CERTIFICATE"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)
    else:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", "/readyz")
    reply = connection.getresponse()
    return reply.status, reply.read().decode(errors="replace")


def main(port: str = os.environ.get("AMLSDK_SERVE_PORT") or "8765") -> None:
    try:
        status, text = answer(int(port))
    except OSError as error:
        sys.exit(f"it does not answer: {error}")
    print(text)
    sys.exit(status != 200)


if __name__ == "__main__":
    main(*sys.argv[1:])

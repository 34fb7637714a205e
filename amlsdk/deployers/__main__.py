"""`python -m amlsdk.deployers`: begun by a client, see `amlsdk.processes.launching`."""

from __future__ import annotations

from amlsdk.processes.beginning import hear, say_identity


def main() -> None:
    """Say who this is, hear which deployment is meant, and serve it."""
    if not say_identity():
        return
    # Loaded while the client records the deployment.
    from amlsdk.deployers.driving import drive
    from amlsdk.deployers.handed import Handed
    from amlsdk.handing.credentials import Credential
    from amlsdk.places import Place

    message = hear()
    if message is not None:
        drive(Place.of(message), Handed.of(message["handed"]), Credential.of(message))


if __name__ == "__main__":
    main()

"""`python -m amlsdk.execution`: begun by a client, see `amlsdk.processes.launching`."""

from __future__ import annotations

from amlsdk.processes.beginning import hear, say_identity


def main() -> None:
    """Say who this is, hear what to do, and do it."""
    if not say_identity():
        return
    # Loaded while the client takes its snapshot, so that it costs the run nothing.
    from amlsdk.execution.handover import Handover
    from amlsdk.execution.supervisor import drive_all

    message = hear()
    if message is not None:
        drive_all(Handover.of(message))


if __name__ == "__main__":
    main()

"""Execution targets, found by the entry-point group `amlsdk.targets`."""

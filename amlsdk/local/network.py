"""Whether a folder lies on a file system of the network, where SQLite's locks can't be relied on.

See "How To Corrupt An SQLite Database File", section 2.1 (sqlite.org/howtocorrupt.html).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from amlsdk.errors import InvalidArgument

__all__ = ["mounts", "refuse_network"]

_NETWORK = re.compile(
    r"nfs4?|cifs|smb\w*|afs|afpfs|9p|webdav|ncpfs|ceph|lustre|gpfs|beegfs\w*|pvfs2|orangefs|glusterfs|wekafs|ocfs2|gfs2|"
    r"fuse\.(sshfs|rclone|s3fs|goofys|gcsfuse|blobfuse2?|glusterfs|ceph(-fuse)?|juicefs|davfs2?|moosefs|mfs|cephfs)"
)
_KIND = 0


def refuse_network(folder: Path, mounted: dict[str, str]) -> None:
    """See that a workspace may be kept in a folder.

    Args:
        folder: Absolute; it need not exist yet.
        mounted: Kind of file system by mount point, as `mounts` has it.

    Raises:
        InvalidArgument: It is on a network file system; the message says what to do.
    """
    real = folder.resolve()
    point = next((str(place) for place in (real, *real.parents) if str(place) in mounted), None)
    if point is not None and _NETWORK.fullmatch(mounted[point]):
        raise InvalidArgument(
            f"a workspace can't be kept in {str(folder)!r}: it is on a network file system ({mounted[point]}, "
            f"mounted at {point!r}), where the catalogue could be damaged. Keep the workspace on a local disk, or "
            "let one machine serve it (`aml serve`) and connect to its URL; only journals may live there"
        )


def mounts() -> dict[str, str]:
    """Return the kind of file system at each mount point of this machine; empty where that can't be known."""
    try:
        if Path("/proc/self/mountinfo").exists():
            return _parse_mountinfo(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
        if Path("/sbin/mount").exists():
            return _parse_mount(subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.SubprocessError):
        pass
    return {}


def _parse_mountinfo(text: str) -> dict[str, str]:
    """Read proc(5), mountinfo: the fifth field is the mount point, the kind follows a lone hyphen."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), before.split(" ")[4])
        # A later mount hides an earlier one at the same point.
        found[point] = after.split(" ")[_KIND]
    return found


def _parse_mount(text: str) -> dict[str, str]:
    """Read lines such as `//user@host/share on /Volumes/share (smbfs, nodev)`."""
    lines = re.finditer(r"^.* on (?P<point>.+) \((?P<kind>\w+)[,)]", text, re.MULTILINE)
    return {line["point"]: line["kind"] for line in lines}

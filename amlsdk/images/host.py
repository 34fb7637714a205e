"""The Python of this machine and what it needs, laid out as an image has it."""

from __future__ import annotations

import os
import platform
import ssl
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from amlsdk.errors import OperationFailed
from amlsdk.images.elf import ElfFile, read_elf_file
from amlsdk.images.items import Item, bytes_item, file_item, folder_item, link_item
from amlsdk.images.knownfiles import KnownFiles
from amlsdk.images.libraries import Found, Libraries

__all__ = ["USER", "HostPython", "oci_platform", "program_of_host", "python_of_host"]

USER = 65532
# Parts of the standard library that a service can't use, or has no use for.
_LEFT_OUT = frozenset(
    {
        "__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test",
        "tests", "tkinter", "turtledemo",
    }
)  # fmt: skip
_LEFT_OUT_MODULES = ("_tkinter.", "_test", "_ctypes_test.", "_xx", "xx")
# What modules that were built elsewhere may take for granted (PEP 599, PEP 600), and what names are looked up by.
_TAKEN_FOR_GRANTED = (
    "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libnss_dns.so.2", "libnss_files.so.2", "libpthread.so.0",
    "libresolv.so.2", "librt.so.1", "libstdc++.so.6", "libutil.so.1", "libz.so.1",
)  # fmt: skip
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm", "i686": "386"}
_NOBODY = f"{USER}:{USER}"
_SYSTEM = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{_NOBODY}:nonroot:/tmp:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def oci_platform() -> str:
    """Return the platform of this machine as images name it, such as `linux/amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}/{_MACHINES.get(machine, machine)}"


@attrs.frozen(kw_only=True)
class HostPython:
    """The Python that runs this process, for Linux.

    Args:
        program: Its executable.
        elf: The head of that.
        library_folder: Where its C library is.
        modules: Its standard library: where each file is, by its path in there.
        known: Digests of files of this machine.
    """

    program: Path
    elf: ElfFile
    library_folder: Path
    modules: Mapping[str, str] = attrs.field(repr=False)
    known: KnownFiles

    @property
    def libraries(self) -> Libraries:
        """Finds libraries that fit."""
        return Libraries(self.elf, self.library_folder)

    @property
    def loader_names(self) -> frozenset[str]:
        """The loader's name: it is there already when it looks for libraries, one of which it is."""
        return frozenset({os.path.basename(self.elf.interpreter or "")})  # noqa: PTH119

    def items(self) -> list[Item]:
        """Return Python itself: its executable and its standard library below `usr/local`."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        library = f"usr/local/{sys.platlibdir}/{version}"
        program = self._file(f"usr/local/bin/{version}", os.fspath(self.program), executable=True)
        links = [link_item(f"usr/local/bin/{name}", version) for name in ("python3", "python")]
        modules = [self._file(f"{library}/{path}", location) for path, location in self.modules.items()]
        return [program, *links, *modules]

    def system_items(self) -> tuple[list[Item], Found]:
        """Return what Python and modules built elsewhere need of a system, and the libraries among it."""
        needing = [(self.program, self.elf)]
        for location in self.modules.values():
            elf = read_elf_file(Path(location)) if location.endswith(".so") else None
            if elf is not None:
                needing.append((Path(location), elf))
        found = self.libraries.closure(needing, provided=self.loader_names)
        more = self.libraries.named(_TAKEN_FOR_GRANTED, provided=self.loader_names | found.paths.keys())
        both = Found(paths=found.paths | more.paths, missing=found.missing)
        items = [*self.library_items(both), *self._loader(), *self._certificates(), folder_item("tmp", mode=0o1777)]
        items += [bytes_item(path, text.encode()) for path, text in _SYSTEM.items()]
        return list({item.path: item for item in items}.values()), both

    def library_items(self, found: Found) -> list[Item]:
        """Return libraries in the folder that the loader searches without being told to."""
        folder = os.fspath(self.library_folder).lstrip("/")
        return [
            self._file(f"{folder}/{os.path.basename(name)}", os.fspath(location), executable=True)  # noqa: PTH119
            for name, location in sorted(found.paths.items())
        ]

    def _file(self, path: str, location: str, *, executable: bool = False) -> Item:
        return file_item(path, location, self.known, executable=executable)

    def _loader(self) -> Iterator[Item]:
        if self.elf.interpreter is not None:
            yield self._file(self.elf.interpreter.lstrip("/"), self.elf.interpreter, executable=True)

    def _certificates(self) -> Iterator[Item]:
        location = next((path for path in _CERTIFICATES if os.path.isfile(path)), None)  # noqa: PTH113
        if location is not None:
            # Where this Python's OpenSSL looks, and where everything else does.
            for path in sorted({_CERTIFICATES[0], ssl.get_default_verify_paths().openssl_cafile}):
                yield self._file(path.lstrip("/"), location)


def program_of_host() -> tuple[Path, ElfFile]:
    """Return the executable of the Python that runs this process, and its head.

    Raises:
        OperationFailed: It is no program that an image could have.
    """
    program = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    elf = read_elf_file(program)
    if elf is None:
        raise OperationFailed(
            f"the Python of this machine, {str(program)!r}, is no ELF program, so no image can have it; "
            "give an image that has a Python as base="
        )
    return program, elf


def python_of_host(known: KnownFiles) -> HostPython:
    """Return the Python that runs this process.

    Raises:
        OperationFailed: It is no program that an image could have.
    """
    program, elf = program_of_host()
    modules = dict(_standard_library())
    return HostPython(program=program, elf=elf, library_folder=_c_library().parent, modules=modules, known=known)


def _standard_library() -> Iterator[tuple[str, str]]:
    for name in ("platstdlib", "stdlib"):
        root = sysconfig.get_path(name, vars={"installed_base": sys.base_prefix, "platbase": sys.base_prefix})
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(one for one in folders if one not in _LEFT_OUT and not one.startswith("config-"))
            for file in sorted(files):
                location = f"{folder}/{file}"
                if _is_wanted(file) and os.path.isfile(location):  # noqa: PTH113  # hundreds of them
                    yield location[len(root) + 1 :], location


def _is_wanted(file: str) -> bool:
    return not file.endswith((".pyc", ".a", ".o")) and not file.startswith(_LEFT_OUT_MODULES)


def _c_library() -> Path:
    # What this process itself has mapped: no guess is needed.
    for line in Path("/proc/self/maps").read_text("utf-8", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        name = os.path.basename(fields[-1]) if len(fields) > 5 else ""  # noqa: PLR2004, PTH119  # proc(5): the sixth
        if name.startswith(("libc.so", "libc-", "ld-musl-", "libc.musl-")):
            return Path(fields[-1])
    raise OperationFailed("the C library of this machine was not found; give an image that has a Python as base=")

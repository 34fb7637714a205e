"""Small images for tests of deployers, with a stand-in for the scoring service that starts in a moment.

It speaks to its supervisor as `amlsdk.scoring` does and answers `POST /score`, without validation, batches or counts.
"""

import datetime as dt
import gzip
import hashlib
import io
import json
import platform
import sys
import sysconfig
import tarfile
from pathlib import Path

import amlsdk
from amlsdk.operations.blobs import PutBlob
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.images import CreateImage, EndImage
from amlsdk.operations.manifests import CreateManifest
from amlsdk.operations.models import CreateModel
from amlsdk.processes import this_process
from amlsdk.records.converting import CONVERTER
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import new_id
from amlsdk.records.images import ImageRecord, LayerRecord
from amlsdk.records.serving import InputSpec, ServiceSpec
from amlsdk.records.streams import ByteStream

JSON_SPEC = ServiceSpec(
    name="wine",
    script="score.py",
    inputs=(InputSpec(name="data", kind="json", schema={}),),
    sample={"data": 1},
)
# What an image has of amlsdk.
PARTS = ("records", "scoring", "sketches")
STAND_IN = """
import argparse, asyncio, json, os, pathlib, runpy, signal, socket, sys

root = pathlib.Path(os.path.abspath(__file__)).parent.parent
sys.path += [str(root / "site"), str(root / "app")]
parser = argparse.ArgumentParser()
for name in ("--fd", "--control-fd", "--settings", "--traffic", "--keys"):
    parser.add_argument(name)
options = parser.parse_args()
spec = json.loads((root / "app" / "service.json").read_text())
script = runpy.run_path(str(root / "app" / spec["script"]))
script.get("init", lambda: None)()
open_now, in_flight, accepting, draining = set(), 0, None, False


def score(body):
    try:
        return 200, {"result": script["run"](**body)}
    except Exception as error:
        print("scoring failed:", repr(error), file=sys.stderr, flush=True)
        return 500, {"code": "ScoringFailed", "message": "see the log"}


def allowed(headers):
    if options.keys is None:
        return True
    keys = json.loads(pathlib.Path(options.keys).read_text()).values()
    return headers.get("authorization", "").removeprefix("Bearer ") in keys


async def answer(reader, writer):
    global in_flight
    me = asyncio.current_task()
    open_now.add(me)
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            lines = head.decode().split("\\r\\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            in_flight += 1
            status, reply = score(json.loads(body)) if allowed(headers) else (401, {"code": "KeyNeeded"})
            if asyncio.iscoroutine(reply.get("result")):
                reply = {"result": await reply["result"]}
            in_flight -= 1
            raw = json.dumps(reply).encode()
            last = "close" if draining else "keep-alive"
            head = f"HTTP/1.1 {status} X\\r\\nconnection: {last}\\r\\ncontent-length: {len(raw)}\\r\\n\\r\\n"
            writer.write(head.encode() + raw)
            await writer.drain()
            if draining:
                break
    except (EOFError, ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        open_now.discard(me)
        writer.close()


async def main():
    global accepting, draining
    ours = socket.socket(fileno=int(options.control_fd))
    reader, writer = await asyncio.open_unix_connection(sock=ours)

    def say(**message):
        writer.write(json.dumps(message).encode() + b"\\n")

    async def drain(grace_s):
        global accepting, draining
        draining = True
        if accepting is not None:
            accepting.close()
            accepting = None
        end = asyncio.get_running_loop().time() + grace_s
        while open_now and asyncio.get_running_loop().time() < end and draining:
            await asyncio.sleep(0.01)

    async def carry_out(message):
        global accepting, draining
        do, reply = message["do"], {}
        if do == "score":
            status, body = score(message["body"])
            reply = {"status": status, "body": body}
        elif do == "accept":
            draining = False
            if accepting is None:
                listener = socket.socket(fileno=os.dup(int(options.fd)))
                accepting = await asyncio.start_server(answer, sock=listener)
        elif do == "drain":
            await drain(message["grace_s"])
        elif do == "stats":
            reply = {"connections": len(open_now), "in_flight": in_flight, "waiting": 0}
        say(id=message["id"], ok=True, **reply)

    status, body = score(spec["sample"])
    if status != 200:
        sys.exit("the sample is not answered")
    say(event="loaded")
    tasks = set()
    while line := await reader.readline():
        tasks.add(asyncio.create_task(carry_out(json.loads(line))))
    await drain(0)


asyncio.run(main())
"""


def layer_of(blobs, kind, files):
    """Store a layer; `files` maps paths in the bundle to text, bytes, or a tuple with the target of a link."""
    raw = io.BytesIO()
    unpacked = 0
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(f"opt/amlsdk/{path}")
            if isinstance(content, tuple):
                member.type, member.linkname = tarfile.SYMTYPE, content[0]
                tar.addfile(member)
                continue
            data = content if isinstance(content, bytes) else content.encode()
            member.size, member.mode = len(data), 0o644
            unpacked += len(data)
            tar.addfile(member, io.BytesIO(data))
    packed = gzip.compress(raw.getvalue(), mtime=0)
    digest = hashlib.sha256(packed).hexdigest()
    blobs.put(digest, ByteStream.of(packed))
    return LayerRecord(
        kind=kind,
        digest=digest,
        diff_id=hashlib.sha256(raw.getvalue()).hexdigest(),
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        size_bytes=len(packed),
        unpacked_bytes=unpacked,
    )


def image_of(layers, **fields):
    """Return a Completed image of this machine's Python."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    values = {
        "id": new_id(),
        "name": "wine",
        "version": 1,
        "manifest_id": new_id(),
        "builder": "oci",
        "base": "host",
        "status": "Completed",
        "user": "ada",
        "created_at": dt.datetime.now(dt.timezone.utc),
        "digest": "0" * 64,
        "layers": tuple(layers),
        "platform": f"{sys.platform}/{machine}",
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    return ImageRecord(**{**values, **fields})


def small_image(blobs, script, *, sample=None, result=None, serve=STAND_IN, **fields):
    """Return an image of a scoring script, served by the stand-in."""
    spec = {"name": "wine", "script": "score.py", "sample": sample or {"data": 1}, "sample_result": result}
    app = {"app/score.py": script, "app/service.json": json.dumps(spec), "app/model.txt": ("../models/wine/model.txt",)}
    return image_of(
        [
            layer_of(blobs, "dependencies", {"site/helpful.py": "NUMBER = 42\n"}),
            layer_of(blobs, "runtime", {"runtime/serve.py": serve}),
            layer_of(blobs, "model", {"models/wine/model.txt": "weights"}),
            layer_of(blobs, "script", app),
        ],
        **fields,
    )


def scoring_image(blobs, script, spec, **fields):
    """Return an image that has the real scoring service; packages are those of this interpreter, by a link."""
    here = Path(amlsdk.__file__).parent
    parts = [*here.glob("*.py"), *(path for part in PARTS for path in (here / part).rglob("*.py"))]
    runtime = {f"runtime/amlsdk/{path.relative_to(here)}": path.read_bytes() for path in parts}
    runtime["runtime/serve.py"] = (here / "scoring" / "serve.py").read_bytes()
    app = {"app/score.py": script, "app/service.json": json.dumps(CONVERTER.unstructure(spec))}
    return image_of(
        [
            layer_of(blobs, "dependencies", {"site/here.pth": sysconfig.get_path("purelib") + "\n"}),
            layer_of(blobs, "runtime", runtime),
            layer_of(blobs, "script", app),
        ],
        **fields,
    )


def keep_tree(service, files):
    """Keep a tree of contents by path."""
    entries = []
    for path, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        service.send(PutBlob(digest=digest, content=ByteStream.of(content)))
        entries.append(FileEntry(path=path, digest=digest, size_bytes=len(content)))
    return service.send(CreateFileSet(entries=tuple(entries)))


def recorded(service, image):
    """Record an image in a workspace, as if it had been built there, and return it."""
    tree = keep_tree(service, {"model.txt": b"weights"})
    model = service.send(CreateModel(id=new_id(), name="wine", digest=tree.digest, format="files"))
    app = keep_tree(service, {"score.py": image.id.encode(), "service.json": b"{}"})
    manifest = service.send(
        CreateManifest(
            id=new_id(),
            name="wine",
            model_ids=(model.id,),
            files=app.digest,
            script="score.py",
            python=image.python,
            platform="linux-x86_64",
        )
    )
    asked = CreateImage(id=image.id, name="wine", manifest_id=manifest.id, owner=this_process())
    made = service.send(asked)
    return service.send(
        EndImage(
            image_id=made.id,
            owner=asked.owner,
            status="Completed",
            digest=image.layers[-1].digest,
            files=tree.digest,
            layers=image.layers,
            platform=image.platform,
            python=image.python,
        )
    )

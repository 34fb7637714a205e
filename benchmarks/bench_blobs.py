"""A file of 1 GB to a service on loopback and back, beside plain HTTP: requests and a bare uvicorn with a file."""

import filecmp
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZE_MIB, ROUNDS = 1024, 3

SERVICE = """
import pathlib, sys
from amlsdk.server.run import serve
from amlsdk.tenancy import TenantHost
host = TenantHost(pathlib.Path(sys.argv[1]))
serve(host, on_ready=lambda url: print(url, host.first_token, flush=True))
"""

PLAIN = """
import socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, Response
from starlette.routing import Route

async def put(request):
    with open(sys.argv[1], "wb") as file:
        async for chunk in request.stream():
            file.write(chunk)
    return Response()

async def get(request):
    return FileResponse(sys.argv[1])

listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]} -", flush=True)
app = Starlette(routes=[Route("/file", put, methods=["PUT"]), Route("/file", get)])
server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
server.run(sockets=[listener])
"""

MEASURED = """
import json, sys, time
from pathlib import Path
def peak_mb(pid="self"):
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
def grown_mb(before, pid="self"):
    return round(peak_mb(pid) - before, 1)
def timed(call):
    begun = time.perf_counter()
    call()
    return round(time.perf_counter() - begun, 2)
url, token, server, source, target = sys.argv[1:]
"""

CLIENT = (
    MEASURED
    + """
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.storage.blobs.through_service import ServiceBlobs
import hashlib
backend = RemoteBackend(url, token=token)
service = backend.open()
blobs = ServiceBlobs(service)
# Everything that is imported later counts as memory otherwise.
small = hashlib.sha256(b"small").hexdigest()
blobs.put(small, ByteStream.of(b"small"))
assert blobs.open(small).read() == b"small"
mine, its = peak_mb(), peak_mb(server)
sent = []
up = timed(lambda: sent.append(blobs.put_file(source)))
up_mb, its_up_mb = grown_mb(mine), grown_mb(its, server)
again = timed(lambda: blobs.put_file(source))
down = timed(lambda: blobs.copy_to(sent[0][0], target))
print(json.dumps({
    "up_s": up, "up_again_s": again, "down_s": down, "client_up_mb": up_mb, "server_up_mb": its_up_mb,
    "client_mb": grown_mb(mine), "server_mb": grown_mb(its, server),
}))
backend.close()
"""
)

PLAIN_CLIENT = (
    MEASURED
    + """
import requests
def put():
    with open(source, "rb") as file:
        requests.put(f"{url}/file", data=file).raise_for_status()
def get():
    with requests.get(f"{url}/file", stream=True) as response, open(target, "wb") as file:
        response.raise_for_status()
        for chunk in response.iter_content(1 << 20):
            file.write(chunk)
print(json.dumps({"up_s": timed(put), "down_s": timed(get)}))
"""
)


def main() -> dict:
    """Measure in a temporary folder, both sides in turn; medians of seconds and megabytes."""
    with tempfile.TemporaryDirectory(prefix="bench-blobs-") as name:
        folder = Path(name)
        ours, plain = [], []
        for number in range(ROUNDS):
            make_file(folder / "source", number)
            plain.append(measure(folder, number, PLAIN, PLAIN_CLIENT, "kept"))
            ours.append(measure(folder, number, SERVICE, CLIENT, "service"))
        middle = {key: median(each[key] for each in ours) for key in ours[0]}
        beside = {f"plain_{key}": median(each[key] for each in plain) for key in plain[0]}
    ratios = {f"{way}_ratio": round(middle[f"{way}_s"] / beside[f"plain_{way}_s"], 2) for way in ("up", "down")}
    return {"mib": SIZE_MIB, **middle, **beside, **ratios, "each": {"ours": ours, "plain": plain}}


def measure(folder, number, server, client, kept):
    place, target = folder / f"{kept}-{number}", folder / "target"
    with subprocess.Popen([sys.executable, "-c", server, place], stdout=subprocess.PIPE, text=True) as process:
        try:
            url, token = process.stdout.readline().split()
            arguments = [url, token, str(process.pid), folder / "source", target]
            done = subprocess.run(
                [sys.executable, "-c", client, *arguments], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert same(folder / "source", target), "what came back is something else"
        finally:
            process.terminate()
    target.unlink()
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    return json.loads(done.stdout)


def make_file(path, number):
    chunk = random.Random(number).randbytes(1 << 20)
    with path.open("wb") as file:
        for at in range(SIZE_MIB):
            file.write(at.to_bytes(8, "big") + chunk[8:])
    os.sync()


def same(one, other):
    return filecmp.cmp(one, other, shallow=False)


def median(values):
    return sorted(values)[ROUNDS // 2]


if __name__ == "__main__":
    print(json.dumps(main()))

"""The object stores that the tests use: two clouds on SeaweedFS, and Azurite.

A service is known by its process id together with that process's start time, so a stale file
never leads to somebody else's process. Credentials are made anew at every start.
"""

import base64
import email.utils
import hmac
import json
import os
import pathlib
import random
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

CLOUDS = ("north", "south")
# The bucket of each cloud and the container of Azurite. SeaweedFS makes no other by itself.
BUCKET = "lake"
HEALTHY_WITHIN_S = 120
STOPPED_WITHIN_S = 15
# Ports below the range from which the kernel takes those of outgoing connections. SeaweedFS
# puts the gRPC port of each of its parts 10 000 above the part's own.
PORTS = range(12000, 20000)
GRPC_OFFSET = 10000


def start_cloud(name: str, weed: str, folder: pathlib.Path) -> dict:
    """Starts one SeaweedFS server with an identity of its own."""
    key, secret = f"{name}-{secrets.token_hex(8)}", secrets.token_hex(20)
    identities = {"identities": [{
        "name": name,
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }]}
    data = folder / name
    data.mkdir(parents=True)
    config = folder / f"{name}.s3.json"
    config.write_text(json.dumps(identities))
    config.chmod(0o600)
    master, volume, filer, s3, lance, iceberg = free_ports(6)
    process = spawn(folder / f"{name}.log", [
        weed, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", "-master.volumeSizeLimitMB=256",
        f"-volume.port={volume}", "-volume.max=0", "-volume.minFreeSpace=1",
        f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}",
        f"-s3.port.lance={lance}", f"-s3.port.iceberg={iceberg}",
        "-s3.autoCreateBucket=false",
    ], {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "2"})
    return {
        **process,
        "endpoint": f"http://127.0.0.1:{s3}",
        "region": "us-east-1",
        "access_key_id": key,
        "secret_access_key": secret,
        # A bucket is a folder of the filer.
        "bucket": f"http://127.0.0.1:{filer}/buckets/{BUCKET}/",
        "health": [
            f"http://127.0.0.1:{master}/dir/assign",
            f"http://127.0.0.1:{filer}/healthz",
            f"http://127.0.0.1:{s3}/healthz",
        ],
    }


def start_azure(azurite: str, folder: pathlib.Path) -> dict:
    """Starts Azurite with one account; its blobs live in memory."""
    account, key = "deepclonetests", base64.b64encode(secrets.token_bytes(48)).decode()
    (port,) = free_ports(1)
    process = spawn(folder / "azure.log", [
        azurite, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent",
        "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry",
    ], {"AZURITE_ACCOUNTS": f"{account}:{key}"})
    return {
        **process,
        "endpoint": f"http://127.0.0.1:{port}/{account}",
        "account": account,
        "key": key,
        "bucket": f"http://127.0.0.1:{port}/{account}/{BUCKET}?restype=container",
        "health": [f"http://127.0.0.1:{port}/{account}?comp=list"],
    }


def wait_healthy(name: str, service: dict) -> None:
    """Returns when every part of the service answers; raises when it ended or takes too long."""
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    while not healthy(service):
        if not running(service):
            raise RuntimeError(f"{name} ended at its start: see {service['log']}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} is not healthy: see {service['log']}")
        time.sleep(0.1)


def make_bucket(service: dict) -> None:
    """Makes the one bucket or container of a healthy store."""
    if "account" in service:
        request = urllib.request.Request(service["bucket"], method="PUT",
                                         headers=signed_headers(service))
    else:
        request = urllib.request.Request(service["bucket"], method="POST", data=b"",
                                         headers={"Content-Type": ""})
    urllib.request.urlopen(request, timeout=30).close()


def signed_headers(service: dict) -> dict[str, str]:
    """The headers of Azure's shared-key scheme for the making of the container."""
    account = service["account"]
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in headers.items()),
             f"/{account}/{account}/{BUCKET}", "restype:container"]
    key = base64.b64decode(service["key"])
    signature = hmac.digest(key, "\n".join(lines).encode(), "sha256")
    signed = f"SharedKey {account}:{base64.b64encode(signature).decode()}"
    return {**headers, "Authorization": signed}


def healthy(service: dict) -> bool:
    """Whether the process is the one that was started and all its parts answer."""
    return running(service) and all(answers(url) for url in service["health"])


def answers(url: str) -> bool:
    """Whether a URL gives any answer but a failure of the server; 403 is one that works."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return b'"error"' not in response.read()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def spawn(log: pathlib.Path, command: list[str], environment: dict[str, str]) -> dict:
    """Starts a process in a group of its own."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **environment}, cwd=log.parent, start_new_session=True)
    return {"pid": process.pid, "started": started(process.pid), "log": str(log)}


def running(service: dict) -> bool:
    """Whether the process still runs and is not another one under the same number."""
    return service["started"] is not None and started(service["pid"]) == service["started"]


def started(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; none when it is gone or a zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def stop(service: dict) -> None:
    """Ends a service that runs: politely, then not."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not running(service):
            return
        os.killpg(service["pid"], sign)
        deadline = time.monotonic() + STOPPED_WITHIN_S
        while running(service) and time.monotonic() < deadline:
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that are free now, and whose neighbours for gRPC are."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if is_free(port) and is_free(port + GRPC_OFFSET):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

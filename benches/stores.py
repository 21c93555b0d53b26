"""The two servers of the bench, as `bench-store` starts them, and the requests that set them."""

import contextlib
import dataclasses
import http.client
import json
import subprocess
import urllib.parse


@dataclasses.dataclass
class Link:
    """How clients reach the servers."""
    name: str
    round_trip_ms: int = 0
    # One of so many; zero is none.
    refused_every: int = 0
    cut_every: int = 0
    # The servers say the CRC-64/NVME of an object to who asks for it, as S3 does.
    checksums: bool = False


class Store:
    """One server: `address` is for clients, behind the link."""

    def __init__(self, program: str):
        # It ends when its input does: with this process, however that ends.
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        addresses = json.loads(self.process.stdout.readline())
        self.address, self.control = addresses["store"], addresses["control"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def create_bucket(self, bucket: str) -> None:
        self.ask("PUT", f"/{bucket}")

    def delete_bucket(self, bucket: str) -> None:
        """Deletes it with all that is in it."""
        self.ask("DELETE", f"/{bucket}")

    def put(self, bucket: str, key: str, body: str) -> None:
        self.ask("PUT", f"/{bucket}/{key}", body)

    def fill(self, bucket: str, sizes: dict[str, int]) -> None:
        """Writes objects of random bytes."""
        self.ask("POST", "/-/fill", json.dumps({"bucket": bucket, "sizes": sizes}))

    def sizes(self, bucket: str) -> dict[str, int]:
        return self.read("sizes", bucket=bucket)

    def digests(self, bucket: str) -> dict[str, str]:
        """Of all bytes of every object."""
        return self.read("digests", bucket=bucket)

    def set_link(self, link: Link) -> None:
        """For new connections; begins to count from zero."""
        faults = {"refused_every": link.refused_every, "cut_every": link.cut_every}
        setting = {"round_trip_ms": link.round_trip_ms, "faults": faults,
                   "checksums": link.checksums}
        self.ask("POST", "/-/link", json.dumps(setting))

    def counts(self) -> dict:
        return self.read("counts")

    def read(self, what: str, **query: str):
        return json.loads(self.ask("GET", f"/-/{what}?{urllib.parse.urlencode(query)}"))

    def ask(self, method: str, target: str, body: str = "") -> bytes:
        connection = http.client.HTTPConnection(self.control)
        with contextlib.closing(connection):
            connection.request(method, target, body.encode())
            answer = connection.getresponse()
            told = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target}: {answer.status} {told.decode()}")
        return told


@contextlib.contextmanager
def started(program: str):
    """A source and a target; both end with the block."""
    with contextlib.closing(Store(program)) as source, contextlib.closing(Store(program)) as target:
        yield source, target

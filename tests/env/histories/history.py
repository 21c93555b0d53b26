"""One seed: a table, what happens to it, its syncs, and the comparison after each."""

import collections
import json
import pathlib
import random
import shutil

import changes
import judge
import syncs
import tables
import writers

# Tables this small are compiled longer than they are read.
SETTINGS = {"spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.adaptive.enabled": "false",
            # A VACUUM lists by ten thousand tasks otherwise.
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
            "spark.databricks.delta.vacuum.parallelDelete.parallelism": "2",
            "spark.ui.showConsoleProgress": "false"}
KILLED = 0.3
AT_A_VERSION = 0.15
VACUUMED = 0.1
STATE_LOST = 0.1


class History:
    """A source, its replica, and what became of both.

    Counts: `equal`, `different`, `refused`, `unreadable` (the source, by Spark), `killed`,
    `equal after a kill` (what a killed sync left, where it left a replica), `changes`.
    """

    def __init__(self, seed: int, folder: pathlib.Path, command: pathlib.Path, number: int):
        self.chance = random.Random(seed)
        self.source, self.target = folder / "source", folder / "replica"
        folder.mkdir(parents=True)
        kind = tables.draw(seed, self.chance)
        self.kind = kind.name
        self.spark = writers.spark(**SETTINGS)
        self.changes = changes.Changes(self.spark, self.source, kind, self.chance)
        self.story = self.changes.story
        self.deepclone = syncs.Deepclone(command, folder)
        self.judge = judge.Judge(self.spark)
        self.syncs = number
        self.counts = collections.Counter()
        self.refusals: list[str] = []
        self.differences: list[str] = []
        self.seconds = 0.5
        self.synced = 0

    def run(self) -> "History":
        self.changes.create()
        for _ in range(self.syncs):
            for _ in range(self.chance.choice((1, 2, 3, 4, 6))):
                self.counts["changes"] += self.changes.change()
            self.around()
            self.sync()
        self.last_look()
        return self

    def around(self) -> None:
        """What may happen to a replica, or to what is known of it, between two syncs."""
        if self.chance.random() < STATE_LOST:
            shutil.rmtree(self.deepclone.state, ignore_errors=True)
            self.story.append("the state is lost")
        if self.has_replica() and self.chance.random() < VACUUMED:
            self.spark.sql(f"VACUUM delta.`{self.target}` RETAIN 0 HOURS")
            self.story.append("the replica is vacuumed")

    def sync(self) -> None:
        flags = ["--workers", str(self.chance.choice((1, 2, 4)))]
        newest = self.newest()
        if self.chance.random() < AT_A_VERSION and newest > self.synced:
            flags += ["--version", str(self.chance.randrange(self.synced, newest + 1))]
        if self.chance.random() < KILLED:
            after_s = self.seconds * self.chance.uniform(0.05, 1.1)
            ended = self.deepclone.clone(self.source, self.target, *flags, kill_after_s=after_s)
            if ended.code is None:
                self.counts["killed"] += 1
                self.story.append(f"a sync is killed after {after_s:.2f} s")
                self.after_a_kill()
        ended = self.deepclone.clone(self.source, self.target, *flags)
        self.seconds = ended.seconds
        self.story.append(f"sync {' '.join(flags)}: {ended.code}")
        if ended.code == 0:
            self.synced = ended.answer["source_version"]
            self.compare("equal", self.synced, ended.answer["target_version"])
        elif refusal := ended.refusal():
            self.counts["refused"] += 1
            self.refusals.append(refusal)
        else:
            self.differ(f"sync: exit code {ended.code}: {ended.errors}")

    def after_a_kill(self) -> None:
        """Whatever is there must be one version of the source, whole."""
        if not self.has_replica():
            return
        history = self.spark.sql(f"DESCRIBE HISTORY delta.`{self.target}`")
        clones = history.where("operation = 'CLONE'").orderBy("version").collect()
        if clones:
            version = int(json.loads(json.dumps(clones[-1].operationParameters))["sourceVersion"])
            self.compare("equal after a kill", version, clones[-1].version)

    def compare(self, count: str, version: int, at: int) -> None:
        try:
            told = self.judge.differences(str(self.source), version, str(self.target), at)
        except judge.Unreadable as error:
            self.counts["unreadable"] += 1
            self.story.append(f"the source's version {version} cannot be read: {error}")
            return
        if told:
            self.differ(f"source {version}, replica {at}: {' | '.join(told)}")
        else:
            self.counts[count] += 1

    def last_look(self) -> None:
        """Readers over the kernel, and our own comparison of every byte."""
        if not self.has_replica() or self.synced != self.newest():
            return
        if told := judge.by_other_readers(str(self.source), str(self.target)):
            self.differ(" | ".join(told))
        else:
            self.counts["equal by other readers"] += 1
        ended = self.deepclone.verify(self.source, self.target)
        if ended.code != 0:
            self.differ(f"verify: exit code {ended.code}: {ended.answer} {ended.errors}")

    def differ(self, line: str) -> None:
        self.counts["different"] += 1
        self.differences.append(f"DIFFERENT: {line}")
        self.story.append(f"(different: {line[:200]})")

    def has_replica(self) -> bool:
        return any(self.target.glob("_delta_log/*.json"))

    def newest(self) -> int:
        return self.changes.log().unsafeVolatileSnapshot().version()

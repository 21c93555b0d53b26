//! The examples and notes at the end of each `--help`: what a new user types first.

/// The end of `deepclone --help`.
pub const TOP: &str = "\
Examples:
  deepclone clone ./orders ./orders-replica         copies all at first, later what has changed
  deepclone plan s3://lake/orders gs://dr/orders    shows what a clone would copy
  deepclone verify ./orders ./orders-replica        compares the replica with its source
  deepclone history ./orders-replica                lists the versions that it has held
  deepclone vacuum ./orders-replica                 deletes what no reader needs any more

Without --coordinator the copying happens inside this process.

Exit codes: 0 done, or already up to date; 1 unexpected; 2 wrong usage; 3 the source cannot be
cloned; 4 the target is refused; 5 storage or permission failure; 6 verify found a difference;
130 interrupted (the replica is unchanged, what was copied stays).";

/// The end of `deepclone clone --help`.
pub const CLONE: &str = "\
Examples:
  deepclone clone ./orders /backup/orders
  deepclone clone s3://lake/orders abfss://dr@account.dfs.core.windows.net/orders
  deepclone clone s3://lake/orders ./orders --where \"country = 'DE' AND year >= 2024\"
  deepclone clone s3://lake/orders ./orders --timestamp 2024-05-01T00:00:00Z
  deepclone clone s3://lake/orders s3://dr/orders --config deepclone.toml --coordinator \\
      http://coordinator:7420

The target is new, or a replica that deepclone made. Readers of the replica see one version of
the source, whole, at every instant: a sync becomes visible by one atomic commit.

Credentials: from a connection in the configuration file, or from the environment by the names
that other Delta tools use (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, AZURE_STORAGE_ACCOUNT_NAME,
GOOGLE_SERVICE_ACCOUNT, …). Where the two sides differ, put SOURCE_ or TARGET_ before the name:
SOURCE_AWS_ENDPOINT_URL. They never belong in a URI.

Ctrl-C ends the sync: the replica is unchanged, and the same command goes on from what was
copied. With --coordinator it detaches, and the job goes on there.";

/// The end of `deepclone cost --help`.
pub const COST: &str = "\
Examples:
  deepclone cost --coordinator http://coordinator:7420
  deepclone cost --month 2026-11 --by pair
  deepclone cost --month 2026-11 --by table --output csv > november.csv

Costs are estimates, by list prices or by the table of [prices] in the configuration file, at the
time when the bytes were sent. The sums of 25 months are kept. Without --coordinator, what the
commands of this machine sent.";

/// The end of `deepclone audit list --help`.
pub const AUDIT_LIST: &str = "\
Examples:
  deepclone audit list --principal airflow --since 2026-11-01T00:00:00Z
  deepclone audit list --resource replications/sales --output json

The coordinator keeps changes and refusals for 400 days; see docs/security.md.";

/// The end of `deepclone token --help`.
pub const TOKEN: &str = "\
Examples:
  deepclone token
  deepclone token --output json | jq -r .token > /run/secrets/deepclone

The token is shown once and kept nowhere: give it to its owner, who shows it by --token-file. The
digest goes into the coordinator's file of principals ([access] of deepclone.toml), as
tokens = [{ sha256 = \"…\" }]; see docs/security.md.";

/// The end of `deepclone plan --help`.
pub const PLAN: &str = "\
Examples:
  deepclone plan ./orders /backup/orders
  deepclone plan s3://lake/orders gs://dr/orders --where \"year = 2024\" --output json

Reads both logs; moves and writes nothing. `deepclone clone --dry-run` does the same.";

/// The end of `deepclone verify --help`.
pub const VERIFY: &str = "\
Examples:
  deepclone verify ./orders /backup/orders
  deepclone verify s3://lake/orders gs://dr/orders --output json
  deepclone verify s3://lake/orders gs://dr/orders --sample 5%

Compares the replica's newest version with the version of the source that it holds: schema,
properties, the list of files, and the size of every object. Exit code 6 when they differ.";

/// The end of `deepclone repair --help`.
pub const REPAIR: &str = "\
Examples:
  deepclone repair ./orders /backup/orders --dry-run
  deepclone repair s3://lake/orders gs://dr/orders --deep

Keeps the version that the replica has. A missing object is copied again; one of another length, or
with --deep of other bytes, is left as it is, and the right bytes come under another name in one
commit that swaps the two files: no reader sees a mixture. Give the --where and --property of the
last sync. What another writer committed is undone by `deepclone clone --on-divergence overwrite`.
--dry-run says what would be done.";

/// The end of `deepclone doctor --help`.
pub const DOCTOR: &str = "\
Examples:
  deepclone doctor dr --config deepclone.toml
  deepclone doctor prod-s3 --config deepclone.toml --read-only
  deepclone doctor s3://dr/orders --abort-older-than 2days

Checks what syncs rely on: rights, conditional writes, uploads by parts, checksums, the clock. The
small objects that it writes below _deepclone/ are deleted again; with --read-only, and for a
connection with the role source alone, it writes none. Exit code 4 or 5 when a check failed.

It also lists uploads that nobody ended: no listing of objects shows them, and they are paid for.
One of a sync that runs now is among them, so choose an age that is longer than any sync. Write ./dr
for a folder that is called as a connection.";

/// The end of `deepclone vacuum --help`.
pub const VACUUM: &str = "\
Examples:
  deepclone vacuum /backup/orders --dry-run
  deepclone vacuum s3://dr/orders
  deepclone vacuum s3://dr/orders --retain 30d

Deleted is what the replica removed longer ago than its delta.deletedFileRetentionDuration (7 days
where it sets none), and what syncs that failed left behind, once no sync that runs can count on it
(2 days at the least). Every version within the retention stays readable, and the log is not
written. It may run beside syncs; see docs/trust.md.";

/// The end of `deepclone deleted --help`.
pub const DELETED: &str = "\
Examples:
  deepclone deleted /backup/orders --before 2026-11-01
  deepclone deleted s3://dr/orders s3://west/orders --before 2026-11-01T12:00:00Z --output json
  deepclone deleted s3://dr/orders --before 2026-11-01 --source s3://lake/orders

Says of each replica when what the source deleted up to DATE arrived there, whether bytes of it are
left (also behind deletion vectors), and what can still be read by time travel, until when. Exit
code 6 when something is left: `deepclone vacuum` deletes what is beyond the retention.";

/// The end of `deepclone describe --help`.
pub const DESCRIBE: &str = "\
Examples:
  deepclone describe /backup/orders
  deepclone describe s3://dr/orders --output json

All of it stands in the replica's own log; nothing else is asked.";

/// The end of `deepclone history --help`.
pub const HISTORY: &str = "\
Examples:
  deepclone history /backup/orders
  deepclone history s3://dr/orders --output json

Newest first: the replica's version, the source's version that it holds, when it was published,
and the job that made it.";

/// The end of `deepclone job --help`.
pub const JOB: &str = "\
Examples:
  export DEEPCLONE_COORDINATOR=http://127.0.0.1:7420
  deepclone job create s3://lake/orders gs://dr/orders
  deepclone job list
  deepclone job watch 0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60
  deepclone job limit 0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60 --bandwidth 50MiB/s

Needs a coordinator: --coordinator URL or DEEPCLONE_COORDINATOR.";

/// The end of `deepclone job create --help`.
pub const JOB_CREATE: &str = "\
Examples:
  deepclone job create s3://lake/orders gs://dr/orders --coordinator http://127.0.0.1:7420
  deepclone job watch \"$(deepclone job create … --output json | jq -r .job_id)\"
  deepclone job create s3://lake/orders gs://dr/orders --job-bandwidth 100MiB/s

The tables lie below the roots of connections that the coordinator and its workers know.";

/// The end of `deepclone job limit --help`.
pub const JOB_LIMIT: &str = "\
Examples:
  deepclone job limit 0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60 --bandwidth 50MiB/s
  deepclone job limit 0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60 --bandwidth none --concurrency 64

The limits are for all workers of the job together; what is not named stays as it is. The workers
keep them from their next heartbeat on, within seconds.";

/// The end of `deepclone job list --help`.
pub const JOB_LIST: &str = "\
Examples:
  deepclone job list
  deepclone job list --limit 10 --output json";

/// The end of `deepclone replication --help`.
pub const REPLICATION: &str = "\
Examples:
  deepclone replication apply replications.toml
  deepclone replication list
  deepclone replication ready dr

The commands talk to a coordinator: give --coordinator URL or set DEEPCLONE_COORDINATOR.";

/// The end of `deepclone replication apply --help`.
pub const REPLICATION_APPLY: &str = "\
Examples:
  deepclone replication diff replications.toml
  deepclone replication apply replications.toml
  deepclone replication apply replications.yaml --yes

The file holds the whole set. What it does not name any more is retired, with --yes only: no round
begins any more, and the replicas stay as they are.";

/// The end of `deepclone replication serve --help`.
pub const REPLICATION_SERVE: &str = "\
Examples:
  deepclone replication serve replications.toml --config deepclone.toml
  deepclone --coordinator http://127.0.0.1:7420 replication list

One machine needs no other server: this one keeps the replications until Ctrl-C. The connections
that the file names are those of --config.";

/// The end of `deepclone replication ready --help`.
pub const REPLICATION_READY: &str = "\
Examples:
  deepclone replication ready
  deepclone replication ready dr && start-the-fail-over

YES: all tables are complete up to the time that is shown, and none is further behind than its
max_lag. UNKNOWN: nothing speaks against it but what is not known, such as a source that was not
asked for too long. A fail-over would lose what was committed after the time that is shown.";

/// The end of `deepclone worker --help`.
pub const WORKER: &str = "\
Examples:
  deepclone worker list --coordinator http://127.0.0.1:7420
  deepclone worker drain worker-7

Needs a coordinator: --coordinator URL or DEEPCLONE_COORDINATOR.";

/// The end of `deepclone completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  deepclone completions bash > ~/.local/share/bash-completion/completions/deepclone
  deepclone completions zsh  > ~/.zfunc/_deepclone
  deepclone completions fish > ~/.config/fish/completions/deepclone.fish";

/// The end of `deepclone admin check --help`.
pub const ADMIN_CHECK: &str = "\
Examples:
  deepclone admin check --database sqlite:/var/lib/deepclone/state.db
  deepclone admin check --database sqlite:/backup/state-friday.db --output json

Reads the file and writes nothing, so a coordinator may run: its pages, its schema, and what must
hold across its tables. One line for each thing that is wrong.";

/// The end of `deepclone admin backup --help`.
pub const ADMIN_BACKUP: &str = "\
Examples:
  deepclone admin backup /backup/state-friday.db --config /etc/deepclone/deepclone.toml
  deepclone admin backup friday.db --database sqlite:/var/lib/deepclone/state.db

The copy is what the database held at one moment. FILE appears when it is whole, checked and on the
disk; until then FILE.partial-… lies beside it. docs/operations.md says how a backup is restored.";

/// The end of `deepclone admin test-webhook --help`.
pub const ADMIN_TEST_WEBHOOK: &str = "\
Examples:
  deepclone admin test-webhook oncall --config /etc/deepclone/deepclone.toml

The message has the event `test`, and is signed as any other. It is sent once, also in quiet
hours.";

/// The end of `deepclone admin purge --help`.
pub const ADMIN_PURGE: &str = "\
Examples:
  deepclone admin purge --dry-run --database sqlite:/var/lib/deepclone/state.db
  deepclone admin purge --older-than 7days --database sqlite:/var/lib/deepclone/state.db

A coordinator does this by itself each minute; by hand it goes further, and needs the coordinator
stopped. Jobs that have not ended stay, and so does the record of who asked for what.";

//! Checks a database from its pages to what must hold across its tables. Nothing is written.

use std::path::Path;

use futures::TryStreamExt as _;
use sqlx::{Row as _, SqliteConnection};

use super::super::replications::{self, ReplicationRow};
use super::super::{StateError, encoding, history};
use super::finding::{Finding, Findings};
use super::{open, schema};
use deepclone_core::machine::Fact;

/// Pages that contradict each other.
const SQLITE_CORRUPT: i32 = 11;
/// A file of another kind.
const SQLITE_NOTADB: i32 = 26;

/// What a check looked at, and found.
#[derive(Debug, Default)]
pub struct CheckedFile {
    pub findings: Vec<Finding>,
    /// Jobs that have not ended, ended jobs, evidence of objects, entries of the audit.
    pub counts: RowCounts,
    /// Rows of replications, which this folder cannot read.
    pub replications: Vec<ReplicationRow>,
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    pub live_jobs: u64,
    pub ended_jobs: u64,
    pub objects: u64,
    pub replication_rows: u64,
    pub audit: u64,
}

/// What must hold of rows: the query gives those for which it does not.
struct RowRule {
    about: &'static str,
    /// Gives one text for each row that breaks the rule.
    broken: &'static str,
    /// What is wrong, after that text.
    says: &'static str,
}

/// Jobs are shown as the command line shows them.
const RULES: &[RowRule] = &[
    RowRule {
        about: "leader",
        broken: "SELECT count(*) || ' rows' FROM leader HAVING count(*) <> 1",
        says: "where there must be one",
    },
    RowRule {
        about: "leader",
        broken: "SELECT 'the epoch ' || epoch FROM leader WHERE epoch < 0",
        says: "is below 0",
    },
    RowRule {
        about: "facts",
        broken: "SELECT DISTINCT 'job ' || lower(hex(job)) FROM facts
                 WHERE job NOT IN (SELECT job FROM jobs)
                   AND job NOT IN (SELECT job FROM facts WHERE kind = 'created')",
        says: "has facts and was never created",
    },
    RowRule {
        about: "facts",
        broken: "SELECT 'job ' || lower(hex(job)) FROM facts AS made
                 WHERE kind = 'created' AND job NOT IN (SELECT job FROM jobs)
                   AND EXISTS (SELECT 1 FROM facts AS early
                               WHERE early.job = made.job AND early.sequence < made.sequence)",
        says: "has a fact of before it was created",
    },
    RowRule {
        about: "facts",
        broken: "SELECT DISTINCT 'job ' || lower(hex(job)) FROM facts
                 WHERE kind = 'ended' AND job NOT IN (SELECT job FROM jobs)",
        says: "has ended and is not kept as a job that has: the start of a coordinator keeps it",
    },
    RowRule {
        about: "facts",
        broken: "SELECT DISTINCT 'job ' || lower(hex(facts.job)) FROM facts JOIN jobs USING (job)
                 WHERE sequence > ended_sequence",
        says: "has a fact of after its end",
    },
    RowRule {
        about: "facts",
        broken: "SELECT DISTINCT 'job ' || lower(hex(facts.job)) FROM facts JOIN jobs USING (job)
                 WHERE has_facts = 0",
        says: "has facts that no purge finds",
    },
    RowRule {
        about: "jobs",
        broken: "SELECT 'job ' || lower(hex(job)) FROM jobs
                 WHERE ended_sequence <= created_sequence
                    OR planned_sequence NOT BETWEEN created_sequence AND ended_sequence",
        says: "was not created, planned and ended in this order",
    },
    RowRule {
        about: "objects",
        broken: "SELECT DISTINCT 'job ' || lower(hex(job)) FROM objects
                 WHERE job NOT IN (SELECT job FROM jobs) AND job NOT IN (SELECT job FROM facts)",
        says: "has evidence and is not known",
    },
    RowRule {
        about: "objects",
        broken:
            "SELECT DISTINCT 'job ' || lower(hex(objects.job)) FROM objects JOIN jobs USING (job)
                 WHERE has_evidence = 0",
        says: "has evidence that no purge finds",
    },
    RowRule {
        about: "objects",
        broken: "SELECT 'key ' || key FROM objects
                 WHERE length(target) <> 32 OR length(source) <> 32 OR length(job) <> 16",
        says: "has a target, a source or a job of a wrong length",
    },
    RowRule {
        about: "objects",
        broken: "SELECT objects || ' objects are counted and ' || (SELECT count(*) FROM objects)
                 FROM objects_total WHERE objects <> (SELECT count(*) FROM objects)",
        says: "are there",
    },
    RowRule {
        about: "publications",
        broken: "SELECT 'job ' || lower(hex(job)) FROM publications
                 WHERE job NOT IN (SELECT job FROM jobs) AND job NOT IN (SELECT job FROM facts)",
        says: "may have published and is not known",
    },
    RowRule {
        about: "usage",
        broken: "SELECT DISTINCT 'job ' || lower(hex(usage.job)) FROM usage JOIN jobs USING (job)",
        says: "has ended, and what it sent is not in the sums",
    },
    RowRule {
        about: "usage",
        broken: "SELECT DISTINCT 'the month ' || month FROM
                    (SELECT month FROM usage UNION ALL SELECT month FROM usage_months)
                 WHERE month NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'",
        says: "is no month",
    },
    RowRule {
        about: "audit",
        broken: "SELECT 'entry ' || max(id) FROM audit
                 HAVING max(id) > (SELECT max(seq) FROM sqlite_sequence WHERE name = 'audit')",
        says: "was not made by a coordinator: it is above the newest number that was given",
    },
];

/// Checks the database at this path in one read transaction.
///
/// # Errors
/// There is no such file, it cannot be opened, or others keep it locked. What is damaged in it is a
/// finding.
pub async fn check(database: &Path) -> Result<CheckedFile, StateError> {
    let mut connection = open::read_only(database).await?;
    let mut findings = Findings::default();
    let mut checked = CheckedFile::default();
    match look(&mut connection, &mut findings, &mut checked).await {
        Err(error) if is_damage(&error) => findings.add("file", vec![error.failure().message]),
        other => other?,
    }
    checked.findings = findings.all();
    Ok(checked)
}

/// True when the error speaks of what the file holds, and not of the way to it.
fn is_damage(error: &StateError) -> bool {
    match error {
        StateError::Damaged { .. } => true,
        StateError::Database(sqlx::Error::Database(error)) => {
            // An extended code holds the code itself in its last byte.
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            code.is_some_and(|code| [SQLITE_CORRUPT, SQLITE_NOTADB].contains(&(code & 0xff)))
        }
        StateError::Database(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => true,
        _ => false,
    }
}

async fn look(
    connection: &mut SqliteConnection,
    findings: &mut Findings,
    checked: &mut CheckedFile,
) -> Result<(), StateError> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    schema::check_pages(connection, findings).await?;
    if !schema::check_steps(connection, findings).await? {
        return Ok(());
    }
    schema::check_schema(connection, findings).await?;
    // Rows of damaged pages, or of other tables, say nothing.
    if !findings.is_empty() {
        return Ok(());
    }
    for rule in RULES {
        let broken: Vec<String> =
            sqlx::query_scalar(rule.broken).fetch_all(&mut *connection).await?;
        let told = broken.into_iter().map(|row| format!("{row} {}", rule.says));
        findings.add(rule.about, told.collect());
    }
    let facts = unreadable_facts(connection).await?;
    findings.add("facts", facts);
    let jobs = unreadable_jobs(connection).await?;
    findings.add("jobs", jobs);
    checked.counts = counts(connection).await?;
    checked.replications = replications::all(connection).await?;
    Ok(())
}

/// Facts of live jobs that a start could not read.
async fn unreadable_facts(connection: &mut SqliteConnection) -> Result<Vec<String>, StateError> {
    let mut found = Vec::new();
    let mut rows = sqlx::query(
        "SELECT sequence, job, kind, body, recorded_ms FROM facts
         WHERE job NOT IN (SELECT job FROM jobs) ORDER BY sequence",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let sequence: i64 = row.try_get(0)?;
        let decoded = history::job_id(row.try_get(1)?).and_then(|job| {
            encoding::decode(job, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?)
        });
        let read = decoded.and_then(|entry| match &entry.fact {
            Fact::Created { spec, .. } => encoding::decode_spec(spec).map(drop),
            _ => Ok(()),
        });
        if let Err(error) = read {
            found.push(format!("fact {sequence}: {error}"));
        }
    }
    Ok(found)
}

/// Ended jobs that cannot be shown.
async fn unreadable_jobs(connection: &mut SqliteConnection) -> Result<Vec<String>, StateError> {
    let mut found = Vec::new();
    let mut rows = history::every(connection);
    while let Some(row) = rows.try_next().await? {
        let name: String = row.try_get("name")?;
        let read = history::entries(&row).and_then(|placed| {
            placed.iter().try_for_each(|(_, entry)| match &entry.fact {
                Fact::Created { spec, .. } => encoding::decode_spec(spec).map(drop),
                _ => Ok(()),
            })
        });
        if let Err(error) = read {
            found.push(format!("job {name}: {error}"));
        }
    }
    Ok(found)
}

async fn counts(connection: &mut SqliteConnection) -> Result<RowCounts, StateError> {
    let row = sqlx::query(
        "SELECT (SELECT count(DISTINCT job) FROM facts WHERE job NOT IN (SELECT job FROM jobs)),
                (SELECT count(*) FROM jobs), (SELECT count(*) FROM objects),
                (SELECT count(*) FROM replications), (SELECT count(*) FROM audit)",
    )
    .fetch_one(connection)
    .await?;
    let count = |at: usize| Ok::<_, StateError>(row.try_get::<i64, _>(at)?.unsigned_abs());
    Ok(RowCounts {
        live_jobs: count(0)?,
        ended_jobs: count(1)?,
        objects: count(2)?,
        replication_rows: count(3)?,
        audit: count(4)?,
    })
}

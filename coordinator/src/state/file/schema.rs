//! SQLite's own checks of a file, and whether its schema is the one that this version makes.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};

use super::super::StateError;
use super::super::migrations::MIGRATIONS;
use super::finding::Findings;

/// Lines that SQLite's check of the pages gives at the most.
const PAGE_ERRORS_MAX: u32 = 100;

/// Checks the pages, the indexes and the references of the file.
pub(super) async fn check_pages(
    connection: &mut SqliteConnection,
    findings: &mut Findings,
) -> Result<(), StateError> {
    let query = sqlx::AssertSqlSafe(format!("PRAGMA integrity_check({PAGE_ERRORS_MAX})"));
    let said: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *connection).await?;
    findings.add("file", said.into_iter().filter(|line| line != "ok").collect());
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await?;
    let told = broken.iter().map(|row| {
        let table: String = row.try_get(0)?;
        Ok(format!("a row of {table} refers to a row that is not there"))
    });
    findings.add("file", told.collect::<Result<_, StateError>>()?);
    Ok(())
}

/// Checks that the steps of the schema are those of this version. Returns false when they are not:
/// then the tables are not what this version reads.
pub(super) async fn check_steps(
    connection: &mut SqliteConnection,
    findings: &mut Findings,
) -> Result<bool, StateError> {
    let wrong = wrong_steps(connection).await?;
    let is_current = wrong.is_empty();
    findings.add("migrations", wrong);
    Ok(is_current)
}

/// What is wrong with the steps of the schema, one line each.
pub(super) async fn wrong_steps(
    connection: &mut SqliteConnection,
) -> Result<Vec<String>, StateError> {
    let is_there = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let is_there: i64 = sqlx::query_scalar(is_there).fetch_one(&mut *connection).await?;
    if is_there == 0 {
        return Ok(vec!["the file is not the database of a coordinator".to_owned()]);
    }
    let rows = sqlx::query("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY 1")
        .fetch_all(connection)
        .await?;
    let mut taken = BTreeMap::new();
    for row in rows {
        let step: (bool, Vec<u8>) = (row.try_get(1)?, row.try_get(2)?);
        taken.insert(row.try_get::<i64, _>(0)?, step);
    }
    let mut wrong = Vec::new();
    for step in MIGRATIONS.iter() {
        let version = step.version;
        match taken.remove(&version) {
            None => wrong.push(format!(
                "step {version} is not taken yet: an older version wrote this file; the start of a \
                 coordinator of this version takes it"
            )),
            Some((false, _)) => {
                wrong.push(format!("step {version} was begun and not ended: restore a backup"))
            }
            Some((true, checksum)) if *checksum != *step.checksum => wrong.push(format!(
                "step {version} is another one than that of this version: use the version that \
                 wrote this file"
            )),
            Some(_) => {}
        }
    }
    wrong.extend(taken.keys().map(|version| {
        format!("step {version} is not known: a newer version wrote this file, use that one")
    }));
    Ok(wrong)
}

/// Checks that every table, index and trigger is what the steps make: with a trigger gone, entries
/// of the audit could be changed, and evidence is counted wrongly.
pub(super) async fn check_schema(
    connection: &mut SqliteConnection,
    findings: &mut Findings,
) -> Result<(), StateError> {
    let mut model = SqliteConnectOptions::new().in_memory(true).connect().await?;
    MIGRATIONS.run(&mut model).await?;
    let wanted = parts(&mut model).await?;
    let mut found = parts(connection).await?;
    let mut wrong = Vec::new();
    for ((kind, name), sql) in &wanted {
        match found.remove(&(kind.clone(), name.clone())) {
            None => wrong.push(format!("the {kind} {name} is missing")),
            Some(other) if other != *sql => {
                wrong.push(format!("the {kind} {name} is not what this version makes"));
            }
            Some(_) => {}
        }
    }
    wrong.extend(found.keys().map(|(kind, name)| format!("the {kind} {name} is not ours")));
    findings.add("schema", wrong);
    Ok(())
}

/// The parts of a schema: kind and name → what makes it, with single spaces.
async fn parts(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<(String, String), String>, StateError> {
    let rows = sqlx::query(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
         WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sqlx\\_%' ESCAPE '\\'",
    )
    .fetch_all(connection)
    .await?;
    let part = |row: &sqlx::sqlite::SqliteRow| {
        let sql: String = row.try_get(2)?;
        let words: Vec<&str> = sql.split_whitespace().collect();
        Ok(((row.try_get(0)?, row.try_get(1)?), words.join(" ")))
    };
    rows.iter().map(part).collect()
}

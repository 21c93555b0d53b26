//! The schema of the state, in the steps in which it grew. A step that was released never changes:
//! a state file remembers a checksum of each, and one that differs is refused.
//!
//! The list is written by hand: the macro that would read the folder compiles SQLite a second time,
//! for the compiler alone.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    Migrator::with_migrations(vec![
        step(1, "state", include_str!("../../migrations/0001_state.sql")),
        step(2, "history", include_str!("../../migrations/0002_history.sql")),
        step(3, "evidence", include_str!("../../migrations/0003_evidence.sql")),
        step(4, "evidence by job", include_str!("../../migrations/0004_evidence_by_job.sql")),
        step(5, "limits", include_str!("../../migrations/0005_limits.sql")),
        step(6, "replications", include_str!("../../migrations/0006_replications.sql")),
        step(8, "usage", include_str!("../../migrations/0008_usage.sql")),
        step(9, "usage by request", include_str!("../../migrations/0009_usage_by_request.sql")),
        step(10, "audit", include_str!("../../migrations/0010_audit.sql")),
        step(11, "audit request", include_str!("../../migrations/0011_audit_request.sql")),
        step(12, "jobs by creation", include_str!("../../migrations/0012_jobs_by_creation.sql")),
    ])
});

fn step(version: i64, description: &'static str, sql: &'static str) -> Migration {
    let sql = sql.into_sql_str();
    Migration::new(version, description.into(), MigrationType::Simple, sql, false)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn the_list_is_what_the_folder_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let folder = Migrator::new(folder).await.unwrap();
        let steps = |migrator: &Migrator| -> Vec<_> {
            let step =
                |step: &Migration| (step.version, step.description.clone(), step.checksum.clone());
            migrator.iter().map(step).collect()
        };
        assert_eq!(steps(&MIGRATIONS), steps(&folder));
    }
}

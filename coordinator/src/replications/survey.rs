//! Looks at the sources and targets of replications that are about to be declared: which tables
//! there are, and whose the replicas are that lie there already. It moves no data and changes
//! nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::reason::Reason;
use deepclone_core::replication::ReplicationName;
use deepclone_delta::stamp;
use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::discover::discover;
use super::estimate::{CopyEstimate, estimate};
use super::look::{SurveyOrder, in_time};
use super::probe::open_source;
use super::table_job::table_job;
use crate::effects::Context;

/// How long a survey may take; what it did not see by then is checked when it is copied.
const SURVEY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long plans may take after that.
const ESTIMATE_TIME_MAX: Duration = Duration::from_secs(15);
/// Replications whose sources are listed at once.
const REPLICATIONS_AT_ONCE_MAX: usize = 4;
/// Targets that are looked at at once, for each of them.
const TARGETS_AT_ONCE_MAX: usize = 16;

/// What was found of a replication.
#[derive(Clone, Debug)]
pub struct Survey {
    pub name: ReplicationName,
    /// Tables that its patterns find; `None` when its source could not be listed.
    pub tables: Option<usize>,
    /// Those of them that it has not synced.
    pub new_tables: Option<usize>,
    /// Tables whose targets were looked at.
    pub seen: usize,
    /// Those of them that have a replica that may be synced.
    pub replicas: usize,
    /// Replicas that belong to other replications.
    pub owned: Vec<Failure>,
    /// What its first round would copy of tables that it has not synced; `None` when nobody asked
    /// for it.
    pub copies: Option<CopyEstimate>,
    /// What could not be seen, and what would fail, one line each.
    pub notices: Vec<String>,
}

/// Looks at each of these, for a bounded time; if they are only to be shown, also at how much they
/// would copy.
pub async fn survey(
    context: &Context,
    orders: Vec<SurveyOrder>,
    is_only_shown: bool,
) -> Vec<Survey> {
    let until = Instant::now() + SURVEY_TIME_MAX;
    let looks = stream::iter(orders).map(|order| async move {
        let (survey, new) = one(context, &order, until).await;
        (order, survey, new)
    });
    let found: Vec<_> = looks.buffered(REPLICATIONS_AT_ONCE_MAX).collect().await;
    let until = Instant::now() + ESTIMATE_TIME_MAX;
    let mut surveys = Vec::new();
    for (order, mut survey, new) in found {
        if is_only_shown && survey.owned.is_empty() {
            let (copies, refused) = estimate(context, &order, new, until).await;
            survey.copies = survey.tables.map(|_| copies);
            survey.notices.extend(refused);
        }
        surveys.push(survey);
    }
    surveys
}

/// Returns the refusal of replicas that belong to others; `None` when there is none.
#[must_use]
pub fn refusal(surveys: &[Survey]) -> Option<Failure> {
    let mut owned = surveys
        .iter()
        .flat_map(|survey| survey.owned.iter().map(move |failure| (&survey.name, failure)));
    let (name, first) = owned.next()?;
    let more = match owned.count() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let message = format!("the replication {name}: {}{more}", first.message);
    let failure = Failure { message, ..first.clone() };
    Some(failure.with("replication", name.to_string()).with("field", "target"))
}

/// Returns what was found, and the tables that are new to the replication.
async fn one(context: &Context, order: &SurveyOrder, until: Instant) -> (Survey, Vec<String>) {
    let mut survey = Survey {
        name: order.spec.name.clone(),
        tables: None,
        new_tables: None,
        seen: 0,
        replicas: 0,
        owned: Vec::new(),
        copies: None,
        notices: Vec::new(),
    };
    let found = async {
        let root = open_source(context, &order.spec.source, "")?;
        discover(&root, &order.tables, &BTreeSet::new()).await
    };
    let paths = match in_time(until, found).await {
        Ok(paths) => {
            survey.tables = Some(paths.len());
            paths
        }
        Err(failure) => {
            let notice = format!("its tables are not known: {}", failure.message);
            survey.notices.push(notice);
            order.tables.literals().map(str::to_owned).collect()
        }
    };
    let new: Vec<_> = paths.iter().filter(|path| !order.synced.contains(*path)).cloned().collect();
    survey.new_tables = survey.tables.map(|_| new.len());
    let (total, mut failed) = (paths.len(), None);
    let looks = stream::iter(paths)
        .map(|path| async move { in_time(until, look(context, order, &path)).await });
    let mut looks = looks.buffered(TARGETS_AT_ONCE_MAX);
    while let Some(seen) = looks.next().await {
        match seen {
            Ok(has_replica) => survey.replicas += usize::from(has_replica),
            Err(failure) if failure.reason == Reason::TargetOwned => survey.owned.push(failure),
            Err(failure) => {
                failed.get_or_insert(failure);
                continue;
            }
        }
        survey.seen += 1;
    }
    if let Some(failure) = failed {
        let unseen = total - survey.seen;
        survey.notices.push(format!(
            "of {unseen} tables it is not known whose their replicas are; it is seen when they are \
             copied: {}",
            failure.message
        ));
    }
    (survey, new)
}

/// Returns whether there is a replica that the replication may sync.
async fn look(context: &Context, order: &SurveyOrder, path: &str) -> Result<bool, Failure> {
    let limits = JobLimits::default();
    let job = table_job(context, &order.spec, path, order.claim.clone(), limits)?;
    let target = context.open(Side::Target, &job.target)?;
    let Some(found) = stamp::read(&target).await.map_err(|error| error.failure())? else {
        return Ok(false);
    };
    order.claim.check(&target.uri, found.owner.as_ref())?;
    Ok(true)
}

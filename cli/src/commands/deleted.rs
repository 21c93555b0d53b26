//! `deepclone deleted`: whether what a source deleted is gone from its replicas, too.

use deepclone_common::clock::Clock;
use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::spec::TableRef;
use deepclone_delta::deletion::{DeletionProof, prove};

use super::context::CommandContext;
use super::session;
use crate::args::{DeletedArguments, convert};
use crate::refusal::invalid;
use crate::render::CommandOutput;
use crate::render::deleted::answer;

/// Runs `deepclone deleted`.
///
/// # Errors
/// A wrong argument. What is wrong with one replica stands in the answer, beside the others.
pub async fn run(
    arguments: &DeletedArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    if let Some(name) = &arguments.replication {
        let mut coordinator = context.coordinator("deleted --replication").await?;
        let found = coordinator.prove_deletion(name, arguments.before).await?;
        return answer(arguments.before, Clock::System.now_ms(), &found);
    }
    if context.coordinator_url().is_some() {
        return Err(invalid(
            "with --coordinator (or DEEPCLONE_COORDINATOR) name a replication: --replication NAME"
                .to_owned(),
        ));
    }
    let name = arguments.target_connection.as_deref();
    let table = |target: &String| convert::table(Side::Target, target, name, &context.current_dir);
    let targets = arguments.targets.iter().map(table).collect::<Result<Vec<TableRef>, _>>()?;
    let named = |source| {
        let name = arguments.source_connection.as_deref();
        convert::table(Side::Source, source, name, &context.current_dir)
    };
    let source = arguments.source.as_deref().map(named).transpose()?;
    let now_ms = Clock::System.now_ms();
    let mut found = Vec::new();
    for target in &targets {
        found.push((
            target.uri.clone(),
            one(target, source.as_ref(), (arguments, now_ms), context).await,
        ));
    }
    answer(arguments.before, now_ms, &found)
}

async fn one(
    target: &TableRef,
    source: Option<&TableRef>,
    (arguments, now_ms): (&DeletedArguments, i64),
    context: &CommandContext,
) -> Result<DeletionProof, Failure> {
    let sides = source.map(|source| (source, Side::Source));
    let sides: Vec<_> = sides.into_iter().chain([(target, Side::Target)]).collect();
    let connections = session::connections(context, &sides)?;
    let open_source = |source| session::open(&connections, source, Side::Source);
    let source = source.map(open_source).transpose()?;
    let store = session::open(&connections, target, Side::Target)?;
    let (before_ms, allowed) = (arguments.before, &arguments.allow_feature);
    let proof = prove(&store, source.as_ref(), before_ms, allowed, now_ms).await;
    proof.map_err(|error| error.failure())
}

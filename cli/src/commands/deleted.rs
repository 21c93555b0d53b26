//! `deepclone deleted`: whether what a source deleted is gone from its replicas, too.

use deepclone_common::clock::Clock;
use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::spec::TableRef;
use deepclone_delta::deletion::{DeletionProof, prove};

use super::context::CommandContext;
use super::session;
use crate::args::{DeletedArguments, convert};
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
    context.refuse_coordinator("deleted")?;
    let name = arguments.target_connection.as_deref();
    let table = |target: &String| convert::table(Side::Target, target, name, &context.current_dir);
    let targets = arguments.targets.iter().map(table).collect::<Result<Vec<TableRef>, _>>()?;
    let now_ms = Clock::System.now_ms();
    let mut found = Vec::new();
    for target in &targets {
        found.push((target.uri.clone(), one(target, arguments, context, now_ms).await));
    }
    answer(arguments.before, now_ms, &found)
}

async fn one(
    target: &TableRef,
    arguments: &DeletedArguments,
    context: &CommandContext,
    now_ms: i64,
) -> Result<DeletionProof, Failure> {
    let connections = session::connections(context, &[(target, Side::Target)])?;
    let store = session::open(&connections, target, Side::Target)?;
    let proof = prove(&store, arguments.before, &arguments.allow_feature, now_ms).await;
    proof.map_err(|error| error.of(Side::Target).failure())
}

//! `deepclone verify`: compares replica and source, which this process or a coordinator reads.

use deepclone_common::clock::Clock;
use deepclone_common::connections::Side;
use deepclone_common::random;
use deepclone_core::failure::Failure;
use deepclone_delta::verify::{Depth, KeptVerdict, PROOF_MILLIONTHS, Sample, prove_use, verify};

use super::context::CommandContext;
use super::session;
use crate::args::convert::tables;
use crate::args::{Share, VerifyArguments};
use crate::client::replicas::VerifyRequest;
use crate::refusal::invalid;
use crate::render::output::aside;
use crate::render::{self, CommandOutput};

/// Runs `deepclone verify`.
///
/// # Errors
/// The reason why one of the tables cannot be read. A difference is an answer, not an error.
pub async fn run(
    arguments: &VerifyArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    if arguments.seed.is_some() && arguments.sample.is_none() && !arguments.proof_of_use {
        return Err(invalid("--seed is for --sample and --proof-of-use".to_owned()));
    }
    let (source, target) = tables(
        (&arguments.source, arguments.source_connection.as_deref()),
        (&arguments.target, arguments.target_connection.as_deref()),
        &context.current_dir,
    )?;
    let seed = arguments.seed.unwrap_or_else(drawn_seed);
    let depth = match (arguments.sample, arguments.deep) {
        (Some(Share { millionths }), _) => Depth::Sample(Sample { millionths, seed }),
        (None, true) => Depth::Bytes,
        (None, false) => Depth::Sizes,
    };
    if let Some(url) = context.coordinator_url() {
        let (proof_of_use, record) = (arguments.proof_of_use, arguments.record);
        let asked = VerifyRequest { depth, seed, proof_of_use, record };
        let found = context.connect(url).await?.verify(&source, &target, asked).await?;
        if found.more > 0 {
            aside(&format!("{} differences more are not sent by the coordinator", found.more));
        }
        return render::verify::answer(&found.source_uri, &found.target_uri, &found.report);
    }
    let sides = [(&source, Side::Source), (&target, Side::Target)];
    let connections = session::connections(context, &sides)?;
    let source = session::open(&connections, &source, Side::Source)?;
    let target = session::open(&connections, &target, Side::Target)?;
    let mut report = verify(&source, &target, depth).await.map_err(|error| error.failure())?;
    if arguments.proof_of_use {
        let sample = Sample { millionths: PROOF_MILLIONTHS, seed };
        let proven = prove_use(&target, sample, &mut report).await;
        proven.map_err(|error| error.of(Side::Target).failure())?;
    }
    if arguments.record {
        let verdict = KeptVerdict::of(&report, Clock::System.now_ms());
        verdict.write(&target).await.map_err(|error| error.failure())?;
    }
    render::verify::answer(&source.uri, &target.uri, &report)
}

/// Draws a number that people can type again.
fn drawn_seed() -> u64 {
    let (number, _) = random::uuid().as_u64_pair();
    number >> 44
}

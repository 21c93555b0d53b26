//! What `deepclone verify` is asked to compare.

use clap::Args;

use super::share::Share;

/// The arguments of `deepclone verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// The table that was copied: a path or a URI
    pub source: String,
    /// Its replica: a path or a URI
    pub target: String,
    /// Also compare the digests of all bytes
    #[arg(long, conflicts_with = "sample")]
    pub deep: bool,
    /// Also compare the digests of objects that are drawn until they have so much of the bytes
    #[arg(long, value_name = "PERCENT")]
    pub sample: Option<Share>,
    /// Draw the objects that this number drew before
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Let delta-rs open the replica, and compare what is read with what the log says
    #[arg(long)]
    pub proof_of_use: bool,
    /// Keep the verdict beside the replica, for `deepclone describe`
    #[arg(long)]
    pub record: bool,
    /// The connection of the source
    #[arg(long, value_name = "NAME")]
    pub source_connection: Option<String>,
    /// The connection of the target
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

//! Generates the wire types. protox reads the `.proto` files, so that no `protoc` is needed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic_prost_build::Builder;

/// The files of the public package, which reflection shows.
const PUBLIC: &[&str] = &[
    "deepclone/v1/audit.proto",
    "deepclone/v1/clone_spec.proto",
    "deepclone/v1/cost.proto",
    "deepclone/v1/dispatch.proto",
    "deepclone/v1/job.proto",
    "deepclone/v1/money.proto",
    "deepclone/v1/replica.proto",
    "deepclone/v1/replication.proto",
    "deepclone/v1/worker.proto",
];
/// The files of the coordinator's own package, which reflection does not show.
const INTERNAL: &[&str] = &["deepclone/state/v1/facts.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=deepclone");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let public = protox::compile(PUBLIC, ["."])?;
    fs::write(out.join("deepclone.v1.bin"), encode(&public))?;
    builder().compile_fds(public)?;
    // In its own folder: a generator writes empty files for the packages that it imports.
    let internal = out.join("internal");
    fs::create_dir_all(&internal)?;
    builder()
        .out_dir(internal)
        .extern_path(".deepclone.v1", "crate::v1")
        .compile_fds(protox::compile(INTERNAL, ["."])?)?;
    Ok(())
}

fn builder() -> Builder {
    tonic_prost_build::configure().btree_map(".").emit_rerun_if_changed(false)
}

fn encode(set: &FileDescriptorSet) -> Vec<u8> {
    set.encode_to_vec()
}

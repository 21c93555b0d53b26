//! Memory and bandwidth, whatever waits for the other side.

use std::process::Stdio;
use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Lie, Rule};

use crate::bench::{Bench, KIB, MIB, SMALL};

/// The most memory that the process had in the run, in KiB.
fn peak_kib(bench: &Bench, flags: &[&str]) -> u64 {
    let mut command = bench.command();
    command.args(flags).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // Of an ended process there is no such line.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = kib.unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait().expect("the child is ours") {
            assert!(ended.success(), "{ended}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_when_the_target_is_slower_than_the_source() {
    const COUNT: usize = 40;
    const SIZE: usize = 6 * MIB;
    let least = peak_kib(&Bench::of(SMALL), &[]);
    let names: Vec<String> = (0..COUNT).map(|number| format!("{number}.parquet")).collect();
    let objects: Vec<_> = names.iter().map(|name| (name.as_str(), SIZE)).collect();
    let slow = Rule::always(Kind::Put, Lie::Delay(Duration::from_millis(500))).on(".parquet");
    let bench = Bench::new(&objects).target_lies([slow]);
    let more = peak_kib(&bench, &[]).saturating_sub(least);
    // All of them are under way at once; held whole they would be 240 MiB.
    assert!(more < (COUNT * SIZE / 2 / KIB) as u64, "{more} KiB more than {least}");
}

#[test]
fn a_low_bandwidth_starves_no_body() {
    let names: Vec<String> = (0..8).map(|number| format!("{number}.parquet")).collect();
    let objects: Vec<_> = names.iter().map(|name| (name.as_str(), MIB + KIB)).collect();
    let bench = Bench::new(&objects);
    let ended = bench.clone_by(&["--bandwidth", "2MiB/s"]);
    bench.is_copied(&ended, "2 MiB/s");
    assert!(ended.took >= Duration::from_secs(3), "{:?}", ended.took);
    for name in &names {
        // The ledger has a name that ends like theirs.
        let key = format!("/{name}");
        let (reads, writes) =
            (bench.source.seen_of(Kind::Get, &key), bench.target.seen_of(Kind::Put, &key));
        assert_eq!((reads.len(), writes.len()), (1, 1), "{reads:?} {writes:?}");
    }
}

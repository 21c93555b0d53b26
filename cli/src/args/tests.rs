//! Tables of command lines: what they mean, and how they are refused.

use std::path::Path;

use clap::{CommandFactory, Parser};
use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::{JobLimits, LimitsChange};
use deepclone_core::reason::Reason;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};

use super::convert::{clone_spec, job_filter, job_id, job_limits, limits_change};
use super::location::table_uri;
use super::{Command, CommandLine, JobCommand};

const BASE: &str = "/base/dir";

/// The spec of `deepclone clone …`; `Err(None)` when clap refuses it.
fn spec(arguments: &str) -> Result<CloneSpec, Option<Failure>> {
    // Words by '|', so that a predicate may hold blanks.
    let words = ["deepclone", "clone"].into_iter().chain(arguments.split('|'));
    let parsed = CommandLine::try_parse_from(words).map_err(|_| None)?;
    let Command::Clone(arguments) = parsed.command else { panic!("not clone") };
    let limits = job_limits(&arguments.limits).map_err(Some)?;
    clone_spec(&arguments.spec, limits, Path::new(BASE)).map_err(Some)
}

fn plain_spec() -> CloneSpec {
    CloneSpec {
        source: TableRef { uri: "s3://a/t".into(), connection: None },
        target: TableRef { uri: "gs://b/t".into(), connection: None },
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: [].into(),
        verification: Verification::Digest,
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    }
}

#[test]
fn the_definition_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn every_flag_has_its_place_in_the_spec() {
    type Change = fn(&mut CloneSpec);
    let cases: [(&str, Change); 15] = [
        ("", |_| {}),
        ("|--mode|clone", |_| {}),
        ("|--version|7", |s| s.source_point = SourcePoint::Version(7)),
        ("|--timestamp|1970-01-01T01:00:00.250+01:00", |s| {
            s.source_point = SourcePoint::Timestamp(250);
        }),
        ("|--where| year = 2024 AND x IN ('a b') ", |s| {
            s.partition_filter = Some("year = 2024 AND x IN ('a b')".into());
        }),
        ("|--property|a.b=c=d|--property|e=", |s| {
            s.properties = [("a.b".into(), "c=d".into()), ("e".into(), String::new())].into();
        }),
        ("|--verify|size", |s| s.verification = Verification::Size),
        ("|--verify|digest", |_| {}),
        ("|--verify|read-back", |s| s.verification = Verification::ReadBack),
        ("|--on-divergence|overwrite", |s| s.divergence_policy = DivergencePolicy::Overwrite),
        ("|--on-source-replaced|reclone", |s| {
            s.source_replaced_policy = SourceReplacedPolicy::Reclone;
        }),
        ("|--allow-feature|y|--allow-feature|x|--allow-feature|y", |s| {
            s.allowed_features = vec!["x".into(), "y".into()];
        }),
        ("|--job-bandwidth|100MiB/s|--job-concurrency|64", |s| {
            s.limits =
                JobLimits { bytes_per_second: Some(100 << 20), concurrency: Some(64), held: false };
        }),
        ("|--source-connection|prod", |s| s.source.connection = Some("prod".into())),
        ("|--target-connection|dr", |s| s.target.connection = Some("dr".into())),
    ];
    for (flags, change) in cases {
        let mut wanted = plain_spec();
        change(&mut wanted);
        assert_eq!(spec(&format!("s3://a/t|gs://b/t{flags}")), Ok(wanted), "{flags}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_and_named() {
    use Reason::{InvalidArgument, Unimplemented};
    let cases = [
        ("|--mode|mirror", Unimplemented, "--mode mirror is not built yet"),
        ("|--timestamp|2024-05-01", InvalidArgument, "--timestamp \"2024-05-01\" is not an RFC"),
        ("|--version|18446744073709551615", InvalidArgument, "--version 18446744073709551615"),
        ("|--where|  ", InvalidArgument, "--where is empty"),
        ("|--property|novalue", InvalidArgument, "--property \"novalue\" is not KEY=VALUE"),
        ("|--property|=v", InvalidArgument, "--property \"=v\" is not KEY=VALUE"),
        ("|--property|k=1|--property|k=2", InvalidArgument, "--property k is given twice"),
        ("|--job-bandwidth|1KiB/s", InvalidArgument, "--job-bandwidth 1KiB/s: write 128KiB/s or"),
        ("|--allow-feature| ", InvalidArgument, "--allow-feature is empty"),
    ];
    for (flags, reason, message) in cases {
        let failure = spec(&format!("s3://a/t|gs://b/t{flags}")).unwrap_err().expect(flags);
        assert_eq!(failure.reason, reason, "{flags}");
        assert!(failure.message.starts_with(message), "{flags}: {}", failure.message);
    }
    let by_clap = [
        "|--version|-1",
        "|--version|1|--timestamp|2024-05-01T00:00:00Z",
        "|--verify|md5",
        "|--workers|0",
        "|--concurrency|0",
        "|--concurrency|513",
        "|--bandwidth|200MiB",
        "|--job-bandwidth|none",
        "|--job-concurrency|0",
        "|--unknown",
    ];
    for flags in by_clap {
        assert_eq!(spec(&format!("s3://a/t|gs://b/t{flags}")), Err(None), "{flags}");
    }
}

/// The change of `deepclone job limit JOB …`; `Err(None)` when clap refuses it.
fn change(arguments: &str) -> Result<LimitsChange, Option<Failure>> {
    let words = ["deepclone", "job", "limit", "0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60"];
    let words = words.into_iter().chain(arguments.split_whitespace());
    let parsed = CommandLine::try_parse_from(words).map_err(|_| None)?;
    let Command::Job(JobCommand::Limit(arguments)) = parsed.command else { panic!("not limit") };
    limits_change(&arguments).map_err(Some)
}

#[test]
fn a_limit_is_set_or_lifted_and_what_is_not_named_stays() {
    for (arguments, bytes_per_second, concurrency) in [
        ("--bandwidth 50MiB/s", Some(Some(50 << 20)), None),
        ("--bandwidth none", Some(None), None),
        ("--concurrency 64", None, Some(Some(64))),
        ("--bandwidth 128KiB/s --concurrency none", Some(Some(131_072)), Some(None)),
    ] {
        let wanted = LimitsChange { bytes_per_second, concurrency, held: None };
        assert_eq!(change(arguments), Ok(wanted), "{arguments}");
    }
    for (arguments, message) in [
        ("--bandwidth 1KiB/s", "--bandwidth 1KiB/s: write 128KiB/s or more"),
        ("--concurrency 0", "--concurrency 0: write 1 or more, or none"),
    ] {
        let failure = change(arguments).unwrap_err().expect(arguments);
        assert_eq!((failure.reason, &*failure.message), (Reason::InvalidArgument, message));
    }
    for arguments in ["", "--bandwidth 50MiB", "--concurrency many", "--concurrency -1"] {
        assert_eq!(change(arguments), Err(None), "{arguments}");
    }
}

#[test]
fn a_list_of_jobs_is_narrowed_by_its_flags() {
    let filter = |arguments: &[&str]| {
        let words = [&["deepclone", "job", "list"], arguments].concat();
        let Command::Job(JobCommand::List(list)) = CommandLine::parse_from(words).command else {
            panic!("not list")
        };
        job_filter(&list)
    };
    let time = "2026-11-27T08:00:00Z";
    for (arguments, expected) in [
        (&[][..], ""),
        (&["--state", "waiting-for-workers"], "state = \"WAITING_FOR_WORKERS\""),
        (
            &["--state", "failed", "--target", "s3://dr/*", "--submitter", "a\"b\\"],
            r#"state = "FAILED" AND target = "s3://dr/*" AND submitter = "a\"b\\""#,
        ),
        (
            &["--since", time, "--until", time, "--source", "s3://x y"],
            "source = \"s3://x y\" AND create_time >= \"2026-11-27T08:00:00Z\" \
             AND create_time < \"2026-11-27T08:00:00Z\"",
        ),
    ] {
        assert_eq!(filter(arguments).as_deref(), Ok(expected), "{arguments:?}");
    }
    for flag in ["--since", "--until"] {
        assert!(filter(&[flag, "today"]).unwrap_err().message.contains(flag));
    }
}

#[test]
fn locations_become_canonical_uris() {
    let cases = [
        ("table", "file:///base/dir/table"),
        ("./a/../table/", "file:///base/dir/table"),
        ("/abs//table/.", "file:///abs/table"),
        ("with space%20#?é", "file:///base/dir/with%20space%2520%23%3F%C3%A9"),
        ("c:drive", "file:///base/dir/c:drive"),
        ("./s3:/t", "file:///base/dir/s3:/t"),
        ("file:///abs/a%20b/", "file:///abs/a%20b"),
        ("file:/abs/t", "file:///abs/t"),
        ("file://localhost/abs/t", "file:///abs/t"),
        ("s3://bucket/table/", "s3://bucket/table"),
        ("S3://bucket", "s3://bucket"),
        ("gs://bucket/a b", "gs://bucket/a%20b"),
        ("abfss://c@acc.dfs.core.windows.net/t", "abfss://c@acc.dfs.core.windows.net/t"),
    ];
    for (typed, wanted) in cases {
        assert_eq!(table_uri(Side::Source, typed, Path::new(BASE)).as_deref(), Ok(wanted));
    }
}

#[test]
fn locations_that_cannot_be_meant_are_refused_without_showing_a_secret() {
    use Reason::{InvalidArgument, Unimplemented};
    let cases = [
        ("", InvalidArgument, "target is empty"),
        ("a\nb", InvalidArgument, "target holds a control character"),
        ("share://profile#share.schema.t", Unimplemented, "the scheme share:// of the target"),
        ("ftp://host/t", InvalidArgument, "target: "),
        ("s3:///t", InvalidArgument, "target: "),
        ("s3:/u:SECRET@bucket/t", InvalidArgument, "target has no // after s3:"),
        ("GS:bucket/t", InvalidArgument, "target has no // after gs:"),
        ("file:t", InvalidArgument, "target has no // after file:"),
        ("file://host/t", InvalidArgument, "target: "),
        ("s3://id:SECRET@bucket/t", InvalidArgument, "target carries credentials"),
        ("s3://SECRET@bucket/t", InvalidArgument, "target carries credentials"),
        ("abfss://c:SECRET@acc.dfs.core.windows.net/t", InvalidArgument, "target carries"),
        ("az://c/t?sv=1&sig=SECRET", InvalidArgument, "target has a query"),
    ];
    for (typed, reason, message) in cases {
        let failure = table_uri(Side::Target, typed, Path::new(BASE)).unwrap_err();
        assert_eq!(failure.reason, reason, "{typed}");
        assert!(failure.message.starts_with(message), "{typed}: {}", failure.message);
        assert!(!failure.message.contains("SECRET"), "{}", failure.message);
    }
}

#[test]
fn two_dots_after_a_link_leave_the_folder_that_it_points_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("deep/source")).unwrap();
    std::os::unix::fs::symlink("deep/source", folder.path().join("link")).unwrap();
    let uri = |name: &str| table_uri(Side::Source, name, folder.path()).unwrap();
    assert_eq!(uri("link/../other"), uri("deep/other"));
}

#[test]
fn a_jobs_id_is_a_uuid_with_or_without_its_resource_name() {
    let id = "0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60";
    assert_eq!(job_id(id).unwrap().to_string(), id);
    assert_eq!(job_id(&format!("jobs/{id}")).unwrap().to_string(), id);
    assert_eq!(job_id("x").unwrap_err().reason, Reason::InvalidArgument);
}

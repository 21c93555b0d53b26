//! The table of cases: which two tables are refused, by store and by path.

use super::*;

/// A URI and the endpoint of its connection.
type At = (&'static str, &'static str);

fn place((uri, endpoint): At) -> TablePlace {
    TablePlace::new(&Location::parse(uri).unwrap(), endpoint)
}

/// What is refused, from both sides; `None`: nothing.
#[track_caller]
fn check(one: At, other: At, wanted: Option<&str>) {
    let (first, second) = (place(one), place(other));
    let refused = refuse_overlap((&first, one.0), (&second, other.0)).err();
    let message = refused.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
    assert_eq!(refused.is_some(), wanted.is_some(), "{one:?} {other:?}: {message}");
    assert!(message.contains(wanted.unwrap_or_default()), "{one:?} {other:?}: {message}");
    assert!(refused.is_none_or(|failure| failure.reason == Reason::InvalidArgument));
    let turned = refuse_overlap((&second, other.0), (&first, one.0));
    assert_eq!(turned.is_err(), wanted.is_some(), "{other:?} {one:?}");
}

const HERE: &str = "http://127.0.0.1:9000";
const THERE: &str = "http://127.0.0.1:9001";

#[test]
fn within_one_store_paths_decide() {
    for (one, other, wanted) in [
        ("s3://b/t", "s3://b/t", Some("source and target are the same table, s3://b/t:")),
        ("s3://b/t", "s3a://b/t/", Some("the same table")),
        ("s3://b/t", "s3://b/t/x", Some("the target s3://b/t/x lies inside the source s3://b/t:")),
        ("s3://b/t/x", "s3://b/t", Some("the source s3://b/t/x lies inside the target s3://b/t:")),
        ("s3://b", "s3://b/t", Some("inside")),
        ("s3://b/a%20b", "s3://b/a b/c", Some("inside")),
        ("s3://b/t", "s3://b/t2", None),
        ("s3://b/t", "s3://b/T", None),
        ("s3://b/t", "s3://c/t", None),
        ("s3://b/t", "gs://b/t", None),
        ("s3://b/t", "az://b/t", None),
        ("file:///nowhere/a", "file:///nowhere/a/b", Some("inside")),
        ("file:///", "file:///nowhere", Some("inside")),
        ("file:///nowhere/a", "file:///nowhere/ab", None),
        ("file:///b/t", "s3://b/t", None),
    ] {
        check((one, ""), (other, ""), wanted);
    }
}

#[test]
fn the_service_and_the_account_tell_stores_apart() {
    const SAME: Option<&str> = Some("the same table");
    let account = "abfss://c@acct.dfs.core.windows.net/t";
    for (one, other, wanted) in [
        (("s3://b/t", HERE), ("s3://b/t", THERE), None),
        (("s3://b/t", HERE), ("s3://b/t", ""), None),
        (("s3://b/t", HERE), ("s3://b/t", HERE), SAME),
        (("s3://b/t", HERE), ("s3://b/t", "http://localhost:9000/"), SAME),
        (("s3://b/t", "http://Store:80"), ("s3://b/t", "https://store"), SAME),
        (("s3://b/t", "http://store/one"), ("s3://b/t", "http://store/two"), None),
        (("s3://b/t", "http://[::1]:9000"), ("s3://b/t", "http://[::1]:9001"), None),
        (("s3://b/t", "https://s3.eu-west-1.amazonaws.com"), ("s3://b/t", ""), SAME),
        (("s3://b/t", "https://s3.cn-north-1.amazonaws.com.cn"), ("s3://b/t", ""), None),
        (("s3://b/t", "https://notamazonaws.com"), ("s3://b/t", ""), None),
        // Google's store speaks like S3, too.
        (("s3://b/t", "https://storage.googleapis.com"), ("gs://b/t", ""), SAME),
        (("gs://b/t", HERE), ("gs://b/t", ""), None),
        ((account, ""), ("abfss://c@other.dfs.core.windows.net/t", ""), None),
        ((account, ""), (account, "https://acct.blob.core.windows.net"), SAME),
        ((account, ""), (account, "https://acct.dfs.core.windows.net"), SAME),
        ((account, ""), (account, HERE), None),
    ] {
        check(one, other, wanted);
    }
}

#[test]
fn a_link_does_not_hide_that_one_folder_is_inside_the_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("source")).unwrap();
    std::os::unix::fs::symlink("source", folder.path().join("link")).unwrap();
    let place = |name: &str| {
        let uri = format!("file://{}", folder.path().join(name).display());
        TablePlace::new(&Location::parse(&uri).unwrap(), "")
    };
    for (target, is_refused) in [("link", true), ("link/not/there/yet", true), ("other", false)] {
        let refused = refuse_overlap((&place("source"), "s"), (&place(target), "t"));
        assert_eq!(refused.is_err(), is_refused, "{target}");
    }
}

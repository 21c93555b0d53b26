//! Which URI belongs to which connection, what is refused, and that no secret shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::spec::TableRef;

use super::location::Scheme;
use super::{ConnectionError, Connections, Side, absolute_uri, settings};
use crate::config::Config;
use crate::secret::Secret;

const FILE: &str = r#"
[connections.lake]
url = "s3://lake/"
roles = ["source"]
aws_endpoint_url = "http://127.0.0.1:9000"
aws_access_key_id = "id-hunter2"
aws_secret_access_key = "hunter2"

[connections.sales]
url = "s3://lake/teams/sales"
roles = ["source", "target"]
aws_region = "eu-west-1"
aws_access_key_id = "id-hunter2"
aws_secret_access_key = "hunter2"

[connections.azure]
url = "az://box/replicas"
roles = ["target"]
azure_storage_account_name = "acct"
azure_storage_account_key = "aHVudGVyMg=="

[connections.azurite]
url = "az://emulated"
roles = ["target"]
azure_storage_use_emulator = true
azure_storage_endpoint = "http://127.0.0.1:10000/devstoreaccount1"

[connections.disk]
url = "file:///data/lake"
roles = ["source", "target"]
"#;

fn connections(text: &str) -> Result<Connections, ConnectionError> {
    Connections::from_config(&Config::parse(text).unwrap())
}

fn table(uri: &str) -> TableRef {
    TableRef { uri: uri.to_owned(), connection: None }
}

#[test]
fn a_uri_belongs_to_the_longest_root_above_it() {
    let connections = connections(FILE).unwrap();
    for (uri, side, name, root, canonical) in [
        ("s3://lake/t", Side::Source, "lake", "t", "s3://lake/t"),
        ("s3a://lake/t/", Side::Source, "lake", "t", "s3://lake/t"),
        ("s3://lake/teams/sales/t", Side::Source, "sales", "t", "s3://lake/teams/sales/t"),
        ("s3://lake/teams/sales", Side::Target, "sales", "", "s3://lake/teams/sales"),
        ("s3://lake/teams/sales2", Side::Source, "lake", "teams/sales2", "s3://lake/teams/sales2"),
        ("s3://lake/a%20b%3Dc", Side::Source, "lake", "a b=c", "s3://lake/a%20b=c"),
        ("az://box/replicas/t", Side::Target, "azure", "t", "az://box/replicas/t"),
        (
            "abfss://box@acct.dfs.core.windows.net/replicas/t",
            Side::Target,
            "azure",
            "t",
            "az://box/replicas/t",
        ),
        ("file:///data/lake/t", Side::Target, "disk", "t", "file:///data/lake/t"),
    ] {
        let found = connections.resolve(&table(uri), side).unwrap();
        let shown = (found.connection.as_str(), found.root.as_str(), found.uri.as_str());
        assert_eq!(shown, (name, root, canonical), "{uri}");
        let opened = connections.open_by(name, &found.fingerprint, &found.root).unwrap();
        assert_eq!(opened.table.uri, canonical);
        assert_eq!(opened.folder().is_some(), name == "disk");
    }
}

#[test]
fn connections_are_replaced_where_their_settings_or_secrets_differ() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "aHVudGVyMg==").unwrap();
    let text = FILE.replace(
        "azure_storage_account_key = \"aHVudGVyMg==\"",
        &format!("azure_storage_account_key_file = \"{}\"", secret.path().display()),
    );
    let connections = connections(&text).unwrap();
    let shared = connections.clone();
    let stores = || {
        let set = shared.now();
        let stores = set.by_name.iter();
        stores.map(|(name, of)| (name.clone(), Arc::clone(&of.store))).collect::<BTreeMap<_, _>>()
    };
    let replace = |text: &str| {
        let before = stores();
        let replaced = connections.replace(&Config::parse(text).unwrap()).map_err(|_| ())?;
        let after = stores();
        // Those that are not said to differ keep their clients.
        for (name, store) in before.iter().filter(|(name, _)| after.contains_key(*name)) {
            let differs = replaced.changed.contains(name) || replaced.added.contains(name);
            assert_eq!(Arc::ptr_eq(store, &after[name]), !differs, "{name}");
        }
        assert!(!format!("{replaced:?} {replaced}").contains("hunter2"));
        Ok::<_, ()>(replaced.to_string())
    };
    let open = |name: &str| {
        let table = connections.below(name, "t").unwrap();
        connections.open(&connections.resolve(&table, Side::Source).unwrap()).unwrap().uri
    };
    assert_eq!(replace(&text).unwrap(), "none changed");
    let held = connections.now();
    let other =
        text.replace("id-hunter2", "id-hunter3").replace("connections.disk", "connections.d");
    assert_eq!(replace(&other).unwrap(), "added: d; changed: lake, sales; removed: disk");
    assert!(held.by_name.contains_key("disk"), "what is in use stays");
    assert_eq!((open("d"), open("lake")), ("file:///data/lake/t".into(), "s3://lake/t".into()));
    std::fs::write(secret.path(), "aHVudGVyMw==").unwrap();
    assert_eq!(replace(&other).unwrap(), "changed: azure");
    // A mistake in one changes none.
    let bad = other.replace("file:///data/lake", "file:///new").replace("id-hunter3", "k");
    assert_eq!(replace(&bad.replace("aws_region", "aws_regoin")), Err(()));
    assert_eq!(open("d"), "file:///data/lake/t");
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let connections = connections(FILE).unwrap();
    for (uri, side, part) in [
        ("s3://lake/t", Side::Target, "\"lake\" does not have the role target"),
        ("s3://other/t", Side::Source, "no connection's url is above s3://other/t"),
        ("abfss://box@else.dfs.core.windows.net/replicas/t", Side::Target, "no connection"),
        ("file:///data/lakes", Side::Source, "no connection"),
        ("s3://lake/teams/sales/../hr", Side::Source, "'..'"),
        ("s3://lake/%2e%2e/t", Side::Source, "'..'"),
        ("s3://lake/a//b", Side::Source, "empty segment"),
        ("s3://lake/a?versionId=1", Side::Source, "query"),
        ("s3://id:hunter2@lake/a", Side::Source, "'@'"),
        ("/data/lake/t", Side::Source, "scheme"),
        ("ftp://lake/t", Side::Source, "scheme"),
        ("file://host/t", Side::Source, "three slashes"),
    ] {
        let error = connections.resolve(&table(uri), side).unwrap_err().failure().message;
        assert!(error.contains(part), "{uri}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let named = |name: &str| TableRef { connection: Some(name.to_owned()), ..table("s3://lake/t") };
    for (name, part) in [("nope", "does not exist"), ("sales", "is not below"), ("azure", "not")] {
        let error = connections.resolve(&named(name), Side::Source).unwrap_err();
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
    let found = connections.resolve(&table("s3://lake/t"), Side::Source).unwrap();
    for (fingerprint, root) in
        [([0; 32], "t"), (found.fingerprint, "../t"), (found.fingerprint, "/t")]
    {
        assert!(connections.open_by("lake", &fingerprint, root).is_err(), "{root}");
    }
}

#[test]
fn keys_that_cannot_be_meant_are_refused_by_name() {
    let s3 = "url = \"s3://b\"\nroles = [\"source\"]";
    let az = "url = \"az://b\"\nroles = [\"source\"]";
    for (head, keys, part) in [
        (s3, "aws_acess_key_id = \"hunter2\"", "aws_acess_key_id"),
        (s3, "azure_storage_account_name = \"a\"", "azure_storage_account_name"),
        (
            s3,
            "credential_command = \"x\"\naws_access_key_id = \"hunter2\"",
            "aws_access_key_id: credential_command tells the credentials",
        ),
        (s3, "aws_role_external_id = \"x\"", "it goes with an aws_role_arn alone"),
        (
            s3,
            "aws_role_arn = \"arn\"\naws_endpoint_url_sts = \"http://sts.test\"",
            "aws_endpoint_url_sts: credentials come over https:// alone",
        ),
        (az, "aws_role_external_id = \"x\"", "aws_role_external_id"),
        (s3, "aws_bucket = \"c\"", "the url names it"),
        (s3, "aws_conditional_put = \"disabled\"", "cannot be changed"),
        (s3, "timeout = \"1s\"", "cannot be changed"),
        (s3, "default_region = \"a\"\naws_default_region = \"b\"", "set twice"),
        (s3, "aws_region_file = \"/x\"", "aws_region_file"),
        (s3, "aws_secret_access_key_file = \"/no/such/file\"", "cannot read the file"),
        (s3, "aws_endpoint_url = \"http://u:hunter2@h\"", "aws_endpoint_url"),
        (s3, "aws_access_key_id = \"hunter2\"", "SecretAccessKey"),
        (az, "azure_storage_account_key = \"aHVudGVyMg==\"", "names no account"),
        ("url = \"file:///d\"\nroles = [\"source\"]", "allow_http = true", "allow_http"),
        ("url = \"s3://b\"\nroles = []", "", "roles"),
    ] {
        let error = connections(&format!("[connections.c]\n{head}\n{keys}")).unwrap_err();
        let message = error.failure().message;
        assert!(message.contains(part) && message.contains("\"c\""), "{keys}: {message}");
        assert!(!message.contains("hunter2"), "{keys}: {message}");
    }
}

#[test]
fn secrets_come_from_files_and_show_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "hunter2\n").unwrap();
    let text = format!(
        "[connections.c]\nurl = \"s3://b\"\nroles = [\"source\"]\naws_access_key_id = \"id\"\n\
         aws_secret_access_key_file = {file:?}"
    );
    let connections = connections(&text).unwrap();
    let file_in_options = settings::from_keys(
        "c",
        Scheme::S3,
        &BTreeMap::from([(
            "aws_secret_access_key_file".to_owned(),
            Secret::new(file.to_str().unwrap()),
        )]),
    );
    let Ok(settings::Options::S3(pairs)) = file_in_options else { panic!() };
    assert_eq!(pairs[0].1.expose(), "hunter2");
    let shown = format!("{connections:?} {pairs:?} {:?}", self::connections(FILE).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    let resolved = connections.resolve(&table("s3://b/t"), Side::Source).unwrap();
    let shown = format!("{:?}", connections.open(&resolved).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn fingerprints_tell_stores_apart_and_secrets_do_not_count() {
    let of = |keys: &str| {
        let text = format!(
            "[connections.c]\nurl = \"s3://b\"\nroles = [\"source\"]\naws_access_key_id = \"a\"\n\
             {keys}"
        );
        connections(&text).unwrap().offers()[0].fingerprint
    };
    let base = of("aws_secret_access_key = \"a\"");
    assert_eq!(base, of("aws_secret_access_key = \"b\""));
    assert_ne!(base, of("aws_secret_access_key = \"a\"\naws_region = \"eu-west-1\""));
    let endpoint = of("aws_secret_access_key = \"a\"\naws_endpoint_url = \"http://h:1\"");
    assert_ne!(base, endpoint);
    let same = "aws_secret_access_key = \"a\"\nidentity = \"i\"\naws_endpoint_url";
    assert_eq!(of(&format!("{same} = \"http://h:1\"")), of(&format!("{same} = \"http://i:1\"")));
}

#[test]
fn the_environment_serves_the_command_line_alone() {
    let variables = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let pairs = |side, given: &[(&str, &str)]| {
        let options = settings::from_environment("@x", Scheme::S3, side, &variables(given));
        let Ok(settings::Options::S3(pairs)) = options else { panic!("{options:?}") };
        let mut pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{}={}", key.as_ref(), value.expose()))
            .collect();
        pairs.sort();
        pairs
    };
    let both = [
        ("AWS_ACCESS_KEY_ID", "t"),
        ("AWS_SECRET_ACCESS_KEY", "t"),
        ("AWS_SESSION_TOKEN", "t"),
        ("AWS_REGION", "r"),
        ("AWS_PAGER", "less"),
        ("AWS_CONDITIONAL_PUT", "etag"),
        ("SOURCE_AWS_ACCESS_KEY_ID", "s"),
        ("SOURCE_AWS_SECRET_ACCESS_KEY", "s"),
        ("SOURCE_AWS_ENDPOINT_URL", "http://s"),
    ];
    // The target's session token must not join the source's key.
    let source =
        ["aws_access_key_id=s", "aws_endpoint=http://s", "aws_region=r", "aws_secret_access_key=s"];
    assert_eq!(pairs(Side::Source, &both), source);
    let target =
        ["aws_access_key_id=t", "aws_region=r", "aws_secret_access_key=t", "aws_session_token=t"];
    assert_eq!(pairs(Side::Target, &both), target);

    let (source, target) = (table("s3://b/t"), table("file:///data/r"));
    let tables = [(&source, Side::Source), (&target, Side::Target)];
    let ad_hoc = Connections::default().with_ad_hoc(&tables, &variables(&both)).unwrap();
    let names: Vec<_> = ad_hoc.offers().into_iter().map(|offer| offer.name).collect();
    assert_eq!(names, ["@source", "@target"]);
    let found = ad_hoc.resolve(&source, Side::Source).unwrap();
    assert_eq!((found.root.as_str(), found.uri.as_str()), ("", "s3://b/t"));
    assert!(ad_hoc.resolve(&table("s3://b/u"), Side::Source).is_err(), "the root is the table");

    let wrong = variables(&[("TARGET_AWS_REGOIN", "x")]);
    let replica = table("s3://b/r");
    let error = Connections::default().with_ad_hoc(&[(&replica, Side::Target)], &wrong);
    assert!(error.unwrap_err().to_string().contains("TARGET_AWS_REGOIN"));
}

#[test]
fn paths_become_uris() {
    for (text, uri) in [
        ("/data/my lake/./x/../t/", "file:///data/my%20lake/t"),
        ("/data/100%", "file:///data/100%25"),
        ("s3a://b/t/", "s3://b/t"),
        ("file:///data/t", "file:///data/t"),
    ] {
        assert_eq!(absolute_uri(text).unwrap(), uri);
    }
    assert!(absolute_uri("t").unwrap().starts_with("file:///"));
    assert!(absolute_uri("").is_err());
}

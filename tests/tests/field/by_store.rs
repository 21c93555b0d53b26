//! Google Cloud Storage on both sides: it copies the larger objects by itself, and the binary reads
//! them back.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use deepclone_tests::process::deepclone;
use deepclone_tests::stub_store::{Kind, Lie, Manners, Passes, Rule, StubStore, error};

use crate::bench::{Ended, FLOWING, SMALL, bytes_of, ended, log_of};

const LOG: &str = "_delta_log/00000000000000000000.json";

/// A table of a small object and two larger ones, and the token that its store admits.
struct Case {
    store: StubStore,
    token: String,
    objects: BTreeMap<String, Bytes>,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let passes = Passes::default();
        let token = passes.issue(Duration::from_secs(600));
        let is_data = |key: &str| !key.contains("/_deepclone/") && !key.contains("/_delta_log/");
        let store = StubStore::with(
            "lake",
            Manners {
                is_google: true,
                admits: Some(passes),
                // No write of an object of the table may overwrite another.
                demands_conditions: Some(is_data),
                ..Manners::default()
            },
        );
        let objects = [("s.parquet", SMALL), ("a.parquet", FLOWING), ("p=1/é b.parquet", FLOWING)];
        let objects: BTreeMap<_, _> =
            objects.iter().map(|(key, size)| ((*key).to_owned(), bytes_of(*size))).collect();
        for (key, bytes) in &objects {
            store.put(&format!("t/{key}"), bytes.clone());
        }
        store.put(&format!("t/{LOG}"), log_of(&objects));
        Self { store, token, objects, folder: tempfile::tempdir().expect("a folder") }
    }

    fn command(&self, name: &str) -> Command {
        self.command_of(&[name, "gs://lake/t", "gs://lake/r"])
    }

    fn command_of(&self, arguments: &[&str]) -> Command {
        let mut command = deepclone();
        command.args(arguments).args(["--output", "json"]);
        command.env("XDG_STATE_HOME", self.folder.path()).env("DEEPCLONE_LOG", "trace");
        command.env("GOOGLE_BASE_URL", self.store.endpoint());
        command.env("GOOGLE_BEARER_TOKEN", &self.token);
        command
    }

    fn clone_table(&self) -> Ended {
        ended(&mut self.command("clone"))
    }

    /// Checks that the table is copied, and that nothing secret is told.
    #[track_caller]
    fn is_copied(&self, ended: &Ended, by_store: u64, proofs: (u64, u64)) {
        assert_eq!(ended.exit, 0, "{}", ended.object);
        for (key, bytes) in &self.objects {
            assert!(self.store.get(&format!("r/{key}")).as_ref() == Some(bytes), "{key}");
        }
        assert!(self.store.get(&format!("r/{LOG}")).is_some());
        let object = &ended.object;
        assert_eq!(object["objects_copied_by_store"], by_store, "{object}");
        let found = (&object["proofs"]["stored_checksum"], &object["proofs"]["read_back"]);
        assert_eq!(found, (&proofs.0.into(), &proofs.1.into()), "{object}");
        assert!(!format!("{object}{}", ended.log).contains(&self.token), "the token is told");
    }
}

#[test]
fn google_copies_by_itself_and_the_copies_are_read_back() {
    let case = Case::new();
    let copied = case.clone_table();
    case.is_copied(&copied, 2, (1, 2));
    assert_eq!(copied.object["bytes_read"], SMALL as u64);
    for key in ["a.parquet", "p=1/é b.parquet"] {
        let [of_source, of_target] = ["t", "r"].map(|root| format!("{root}/{key}"));
        let seen = |kind, key: &str| case.store.seen_of(kind, key).len();
        assert_eq!([seen(Kind::Head, &of_source), seen(Kind::Get, &of_source)], [1, 0], "{key}");
        let kinds = [Kind::Rewrite, Kind::Get, Kind::Put, Kind::Head];
        assert_eq!(kinds.map(|kind| seen(kind, &of_target)), [1, 1, 0, 0], "{key}");
    }
    let verified = ended(case.command("verify").arg("--deep"));
    assert_eq!((verified.exit, &verified.object["equal"]), (0, &true.into()));
    assert_eq!(verified.object["deep"]["source_bytes_read"], 0, "{}", verified.object);
}

#[test]
fn a_checkup_tells_that_google_copies_by_itself() {
    let case = Case::new();
    let examined = ended(&mut case.command_of(&["doctor", "gs://lake/r"]));
    let checks = examined.object["checks"].as_array().expect("a list");
    let copies = checks.iter().find(|check| check["name"] == "server-side copy");
    let said = copies.map(|check| check["message"].as_str().unwrap_or_default());
    assert_eq!(said, Some("the store copies by itself, and says the checksum"), "{checks:?}");
    assert!(case.store.keys().iter().all(|key| !key.starts_with("r/")), "something is left");
}

#[test]
fn what_google_refuses_flows_and_it_is_asked_once() {
    let case = Case::new();
    case.store.add(Rule::always(Kind::Rewrite, error(403, "AccessDenied")).on("parquet"));
    case.is_copied(&case.clone_table(), 0, (3, 0));
    let asked = case.store.seen_of(Kind::Rewrite, "parquet").len();
    assert!((1..=2).contains(&asked), "{asked}: two objects may be on their way at once");
}

#[test]
fn a_copy_whose_answer_is_lost_is_settled_and_an_object_that_is_there_stays() {
    let case = Case::new();
    case.store.add(Rule::once(Kind::Rewrite, Lie::Close).on("a.parquet").though_done());
    let copied = case.clone_table();
    assert_eq!(copied.exit, 0, "{}", copied.object);
    case.is_copied(&copied, 1, (1, 2));

    let case = Case::new();
    case.store.put("r/a.parquet", "another");
    let refused = case.clone_table();
    assert_eq!(refused.object["error"]["reason"], "TARGET_CONFLICT", "{}", refused.object);
    assert_eq!(case.store.get("r/a.parquet").as_deref(), Some(&b"another"[..]));
    assert!(case.store.get(&format!("r/{LOG}")).is_none());
}

//! Credentials that a store's client asks of a provider of identities: with what question, again
//! before their end, and what happens while the provider is not well.

use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Lie, Manners, Passes, Rule};

use crate::bench::{Bench, Ended, SMALL, ended};
use crate::provider::Provider;

/// How long credentials count, in whole seconds as providers say it.
const COUNTS: Duration = Duration::from_secs(2);
/// How long each object takes, with one on its way at once.
const SLOW: Duration = Duration::from_millis(700);
const OBJECTS: usize = 10;

/// Whose provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    Aws,
    Azure,
    Google,
}

const CLOUDS: [Cloud; 3] = [Cloud::Aws, Cloud::Azure, Cloud::Google];

/// A table at a store that admits only what a provider has handed out.
struct Case {
    cloud: Cloud,
    bench: Bench,
    provider: Provider,
    /// Certificates, and the file with the token that is shown to the provider.
    folder: tempfile::TempDir,
}

impl Case {
    fn new(cloud: Cloud) -> Self {
        let names: Vec<String> = (0..OBJECTS).map(|number| format!("{number}.parquet")).collect();
        let objects: Vec<_> = names.iter().map(|name| (name.as_str(), SMALL)).collect();
        let passes = Passes::default();
        let source = Manners { admits: Some(passes.clone()), ..Manners::default() };
        let bench = Bench::with(&objects, source, Manners::default()).source_lies([Rule::always(
            Kind::Get,
            Lie::Delay(SLOW),
        )
        .on("parquet")]);
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = (cloud == Cloud::Aws).then(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tls/dev_ca.sh");
            let made = Command::new(script).arg(folder.path()).arg("provider").output();
            let made = made.expect("bash runs");
            assert!(made.status.success(), "{made:?}");
            folder.path()
        });
        let provider = Provider::start(passes, COUNTS, certificates);
        let case = Self { cloud, bench, provider, folder };
        case.identify("hunter2-first");
        case
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Replaces the token that is shown to the provider.
    fn identify(&self, token: &str) {
        std::fs::write(self.path("next"), token).expect("a new file");
        std::fs::rename(self.path("next"), self.path("token")).expect("one folder");
    }

    fn command(&self) -> Command {
        let scheme = match self.cloud {
            Cloud::Aws => "s3",
            Cloud::Azure => "az",
            Cloud::Google => "gs",
        };
        let (store, provider) = (self.bench.source.endpoint(), self.provider.address());
        let settings = match self.cloud {
            Cloud::Aws => vec![
                ("SOURCE_AWS_ENDPOINT_URL", store),
                ("SOURCE_AWS_REGION", "eu-west-1".to_owned()),
                ("SOURCE_AWS_ROLE_ARN", "arn:aws:iam::1:role/reader".to_owned()),
                ("SOURCE_AWS_WEB_IDENTITY_TOKEN_FILE", self.path("token")),
                ("SOURCE_AWS_ENDPOINT_URL_STS", format!("https://{provider}")),
                ("SSL_CERT_FILE", self.path("ca.pem")),
            ],
            Cloud::Azure => vec![
                ("SOURCE_AZURE_STORAGE_ENDPOINT", store),
                ("SOURCE_AZURE_STORAGE_ACCOUNT_NAME", "acct".to_owned()),
                ("SOURCE_AZURE_STORAGE_CLIENT_ID", "an-application".to_owned()),
                ("SOURCE_AZURE_STORAGE_TENANT_ID", "a-tenant".to_owned()),
                ("SOURCE_AZURE_FEDERATED_TOKEN_FILE", self.path("token")),
                ("SOURCE_AZURE_AUTHORITY_HOST", format!("http://{provider}")),
            ],
            Cloud::Google => vec![
                ("SOURCE_GOOGLE_BASE_URL", store),
                ("GCE_METADATA_HOST", provider.to_owned()),
                ("GCE_METADATA_IP", provider.to_owned()),
            ],
        };
        let mut command = self.bench.command_from(&format!("{scheme}://lake/t"));
        command.env("HOME", self.folder.path()).envs(settings);
        command.args(["--job-concurrency", "1"]);
        command
    }

    /// Runs the clone, and returns once its first object is written.
    fn copying(&self) -> JoinHandle<Ended> {
        let mut command = self.command();
        let running = std::thread::spawn(move || ended(&mut command));
        while self.bench.target.seen_of(Kind::Put, "parquet").is_empty() {
            assert!(!running.is_finished(), "{:?}: {:?}", self.cloud, running.join());
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn asked(&self) -> Vec<String> {
        self.provider.books().asked.clone()
    }

    /// Checks that nothing of what is secret is told.
    #[track_caller]
    fn tells_no_secret(&self, ended: &Ended) {
        let told = format!("{}{}", ended.object, ended.log);
        assert!(!told.contains("hunter2") && !told.contains("PASS-"), "{:?}: {told}", self.cloud);
    }
}

#[test]
fn the_provider_is_asked_by_the_words_of_its_cloud() {
    for (cloud, parts) in [
        (
            Cloud::Aws,
            &[
                "POST /?Action=AssumeRoleWithWebIdentity&",
                "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Freader&",
                "WebIdentityToken=hunter2-first",
            ][..],
        ),
        (
            Cloud::Azure,
            &[
                "POST /a-tenant/oauth2/v2.0/token ",
                "client_id=an-application&",
                "client_assertion=hunter2-first&",
                "scope=https%3A%2F%2Fstorage.azure.com%2F.default&",
                "grant_type=client_credentials",
            ],
        ),
        (Cloud::Google, &["GET /computeMetadata/v1/instance/service-accounts/default/token?"]),
    ] {
        let case = Case::new(cloud);
        case.provider.books().counts = Duration::from_secs(3_600);
        let ended = ended(&mut case.command());
        case.bench.is_copied(&ended, &format!("{cloud:?}"));
        let asked = case.asked();
        assert_eq!(asked.len(), 1, "{cloud:?}: credentials that count are kept: {asked:?}");
        for part in parts {
            assert!(asked[0].contains(part), "{cloud:?}: no {part:?} in {asked:?}");
        }
        case.tells_no_secret(&ended);
    }
}

#[test]
fn credentials_that_end_in_mid_job_are_renewed_by_the_token_of_the_time() {
    for cloud in CLOUDS {
        let case = Case::new(cloud);
        let running = case.copying();
        case.identify("hunter2-second");
        // A provider that is not well for a moment costs no job.
        let refusals = vec![(503, "hunter2".to_owned()), (500, "hunter2".to_owned())];
        case.provider.books().refusals = refusals;
        let ended = running.join().expect("the run");
        case.bench.is_copied(&ended, &format!("{cloud:?}"));
        case.tells_no_secret(&ended);
        assert!(ended.took > 3 * COUNTS, "{cloud:?}: {:?}", ended.took);
        let asked = case.asked();
        let last = asked.last().expect("questions");
        assert!(cloud == Cloud::Google || last.contains("hunter2-second"), "{cloud:?}: {last}");
        // Nobody else is admitted, and no request of the copy was turned away.
        let seen = case.bench.source.seen();
        let away = seen.iter().filter(|seen| seen.status == Some(403)).count();
        assert_eq!(away, 0, "{cloud:?}");
    }
}

#[test]
fn a_provider_that_refuses_is_named_without_a_secret() {
    for cloud in CLOUDS {
        // Its 404 says nothing of the table.
        for status in [400, 403, 404] {
            let case = Case::new(cloud);
            case.provider.books().refusals = vec![(status, "hunter2-body".to_owned()); 100];
            let ended = ended(&mut case.command());
            let parts = ["provider of identities", &format!("status {status}")];
            case.bench.is_refused(&ended, &parts, &format!("{cloud:?}"));
            assert_eq!(ended.exit, 5, "{cloud:?} {status}: {}", ended.object);
            case.tells_no_secret(&ended);
            assert!(ended.took < Duration::from_secs(20), "{cloud:?}: {:?}", ended.took);
        }
    }
}

#[test]
fn a_provider_that_has_nothing_for_us_in_mid_job_is_no_missing_object() {
    for cloud in CLOUDS {
        let case = Case::new(cloud);
        let running = case.copying();
        case.provider.books().refusals = vec![(404, String::new()); 1_000];
        let ended = running.join().expect("the run");
        case.bench.is_refused(&ended, &["provider of identities", "404"], &format!("{cloud:?}"));
    }
}

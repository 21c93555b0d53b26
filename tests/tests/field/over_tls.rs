//! Stores that speak TLS, by a certificate that the system's roots have signed, or have not.

use std::path::Path;
use std::process::Command;

use deepclone_common::listener::{BoundListener, Exposure};
use deepclone_common::tls::server::{ServerTls, ServerTlsFiles, Spoken};
use deepclone_tests::stub_store::{Kind, StubStore};
use futures::StreamExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::bench::{Bench, FLOWING, LARGE, SMALL, ended};

/// A server of TLS before a store.
struct Front {
    address: String,
    runtime: Option<Runtime>,
}

impl Front {
    /// Starts one by the certificate `store` of a folder.
    fn start(store: &StubStore, certificates: &Path) -> Self {
        let runtime = Runtime::new().expect("threads of its own");
        let files = ServerTlsFiles {
            certificate: certificates.join("store.pem"),
            key: certificates.join("store.key"),
            client_authorities: None,
        };
        let tls = ServerTls::new(files, Spoken::Http1).expect("certificates");
        let bound = BoundListener::bind(([127, 0, 0, 1], 0).into(), Exposure::Loopback, Some(tls));
        let listener = runtime.block_on(bound).expect("a free port");
        let address = listener.address().to_string();
        let behind = store.endpoint().trim_start_matches("http://").to_owned();
        runtime.spawn(async move {
            let mut incoming = listener.accept();
            while let Some(stream) = incoming.next().await {
                let behind = behind.clone();
                tokio::spawn(async move {
                    let (mut stream, mut store) = (stream?, TcpStream::connect(behind).await?);
                    tokio::io::copy_bidirectional(&mut stream, &mut store).await
                });
            }
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tls/dev_ca.sh");
    let made = Command::new(script).arg(folder.path()).arg("store").output().expect("bash runs");
    assert!(made.status.success(), "{made:?}");
    folder
}

/// `deepclone clone` between the stores behind `fronts`, source and target.
fn command(bench: &Bench, fronts: [&Front; 2]) -> Command {
    let mut command = bench.command();
    for (side, front) in ["SOURCE", "TARGET"].into_iter().zip(fronts) {
        command.env(format!("{side}_AWS_ENDPOINT_URL"), format!("https://{}", front.address));
        command.env_remove(format!("{side}_AWS_ALLOW_HTTP"));
    }
    command
}

#[test]
fn stores_that_speak_tls_are_believed_by_the_roots_of_the_system_alone() {
    let bench = Bench::new(&[("a", SMALL), ("b", FLOWING), ("c", LARGE)]);
    let folder = certificates();
    let fronts = [&bench.source, &bench.target].map(|store| Front::start(store, folder.path()));
    let [source, target] = &fronts;

    let refused = ended(&mut command(&bench, [source, target]));
    bench.is_refused(&refused, &["certificate"], "an unknown authority");
    assert!(bench.source.seen_of(Kind::Get, "").is_empty(), "it asked for something");

    let mut known = command(&bench, [source, target]);
    let copied = ended(known.env("SSL_CERT_FILE", folder.path().join("ca.pem")));
    bench.is_copied(&copied, "a known authority");
}

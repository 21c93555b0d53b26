//! A provider of identities that hands out credentials of a store: AWS's Security Token Service,
//! Azure's token endpoint, and the metadata server of a machine at Google, in one.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use deepclone_common::listener::{BoundListener, Exposure};
use deepclone_common::tls::server::{ServerTls, ServerTlsFiles, Spoken};
use deepclone_tests::stub_store::Passes;
use futures::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Runtime;

/// What it hands out, and what it was asked.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) passes: Passes,
    /// How long what it hands out counts.
    pub(crate) counts: Duration,
    /// The answers of other kinds, which come first: a status and a body.
    pub(crate) refusals: Vec<(u16, String)>,
    /// Each question: its first line, then its body.
    pub(crate) asked: Vec<String>,
}

/// A running provider; it ends when dropped.
pub(crate) struct Provider {
    address: String,
    books: Arc<Mutex<Books>>,
    runtime: Option<Runtime>,
}

impl Provider {
    /// Starts one, over TLS by the certificate `provider` of a folder.
    pub(crate) fn start(passes: Passes, counts: Duration, certificates: Option<&Path>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread of its own");
        let tls = certificates.map(|folder| {
            let files = ServerTlsFiles {
                certificate: folder.join("provider.pem"),
                key: folder.join("provider.key"),
                client_authorities: None,
            };
            ServerTls::new(files, Spoken::Http1).expect("certificates")
        });
        let bound = BoundListener::bind(([127, 0, 0, 1], 0).into(), Exposure::Loopback, tls);
        let listener = runtime.block_on(bound).expect("a free port");
        let address = listener.address().to_string();
        let (refusals, asked) = (Vec::new(), Vec::new());
        let books = Arc::new(Mutex::new(Books { passes, counts, refusals, asked }));
        let kept = Arc::clone(&books);
        runtime.spawn(async move {
            let mut incoming = listener.accept();
            while let Some(Ok(stream)) = incoming.next().await {
                let books = Arc::clone(&kept);
                tokio::spawn(async move { serve(stream, &books).await });
            }
        });
        Self { address, books, runtime: Some(runtime) }
    }

    /// Where it listens, `ADDR:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the one question of a connection.
async fn serve(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    books: &Mutex<Books>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let question = format!("{}\n{}", first.trim(), String::from_utf8_lossy(&body));
    let (status, body) = lock(books).answer(question);
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl Books {
    fn answer(&mut self, question: String) -> (u16, String) {
        let is_of_aws = question.contains("AssumeRoleWithWebIdentity");
        self.asked.push(question);
        if !self.refusals.is_empty() {
            return self.refusals.remove(0);
        }
        let (name, counts) = (self.passes.issue(self.counts), self.counts);
        if !is_of_aws {
            let seconds = counts.as_secs();
            let told = json!({
                "access_token": name, "expires_in": seconds, "token_type": "Bearer",
            });
            return (200, told.to_string());
        }
        let ends = (Utc::now() + counts).to_rfc3339_opts(SecondsFormat::Millis, true);
        let action = "AssumeRoleWithWebIdentity";
        let told = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <{action}Result><Credentials><AccessKeyId>{name}</AccessKeyId>\
             <SecretAccessKey>hunter2-key</SecretAccessKey><SessionToken>hunter2-session\
             </SessionToken><Expiration>{ends}</Expiration></Credentials></{action}Result>\
             </{action}Response>"
        );
        (200, told)
    }
}

//! The pages over a fleet, served on this machine and asked for as a browser would.

use std::sync::Arc;

use deepclone_common::http;
use deepclone_common::listener::{BoundListener, Exposure};
use deepclone_common::readiness::ProcessReadiness;
use deepclone_coordinator::access::layer::Gate;
use deepclone_coordinator::metrics::CoordinatorMetrics;
use deepclone_coordinator::pages::access::{PageAccess, PageListener};
use deepclone_coordinator::pages::routes::routes;
use deepclone_coordinator::replications::metrics::{FleetMetrics, rows};
use deepclone_coordinator::replications::view::FleetView;
use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_core::limits::Limits;
use deepclone_core::machine::Machine;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::fake::FakeData;

/// Serves until it is dropped.
pub(crate) struct Site {
    pub(crate) address: String,
    _stop: DropGuard,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers, in small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Site {
    pub(crate) async fn of(fleet: FleetView) -> Self {
        Self::answering(Ok(Arc::new(fleet))).await
    }

    /// Serves what this says of the replications.
    pub(crate) async fn answering(fleet: Result<Arc<FleetView>, Failure>) -> Self {
        Self::showing(FakeData::of(fleet)).await
    }

    /// Serves what a fake answers.
    pub(crate) async fn showing(data: FakeData) -> Self {
        Self::reached(data, None).await
    }

    /// Serves it as a listener of another address would; as its own without one.
    pub(crate) async fn reached(data: FakeData, as_of: Option<&str>) -> Self {
        let fleet = data.fleet.clone();
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = BoundListener::bind(any, Exposure::Loopback, None).await.unwrap();
        let address = listener.address().to_string();
        let access = PageAccess::at(PageListener {
            address: as_of.unwrap_or(&address).parse().unwrap(),
            has_tls: false,
            knows_callers: false,
        });
        let stop = CancellationToken::new();
        let (_, ready) = watch::channel(ProcessReadiness::default());
        let (metrics, mut catalog) = CoordinatorMetrics::of_process(None);
        metrics.show(&Machine::new(Epoch(1), Limits::default()));
        let (_, known) = watch::channel(fleet.as_ref().ok().cloned());
        catalog.collect(rows(), Box::new(FleetMetrics::new(known)));
        let pages = routes(Arc::new(data), access, Gate::default());
        tokio::spawn(http::serve(
            listener,
            catalog,
            pages,
            ready,
            http::viewers(None),
            stop.clone(),
        ));
        Self { address, _stop: stop.drop_guard() }
    }

    /// Returns a page as its words: without tags, each run of spaces as one.
    pub(crate) async fn words(&self, path: &str) -> String {
        words(&self.get(path).await.body)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    /// Sends a request, and returns the connection to read its answer from.
    pub(crate) async fn open(&self, method: &str, path: &str) -> TcpStream {
        self.send(method, path, &[("host", &self.address)], "").await
    }

    /// Sends a request with these headers and this body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: \
             close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        Answer::read(self.open(method, path).await).await
    }
}

impl Answer {
    pub(crate) async fn read(mut stream: TcpStream) -> Self {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head[9..12].parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

/// Returns the words of a document.
pub(crate) fn words(document: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in document.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            _ if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // A tag within a word or before a mark leaves no space in a browser.
    text.replace(" )", ")").replace("( ", "(").replace(" ,", ",").replace(" :", ":")
}

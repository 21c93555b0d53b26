//! Which requests, which fault, how often.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The store is not asked; the answer has this status.
    Status(u16),
    /// The store is not asked; the connection is reset.
    Reset,
    /// The store gets the request and acts; the connection is reset in place of its answer.
    LoseAnswer,
    /// The answer's body is cut off after so many bytes, by a reset.
    CutAnswer(u64),
    /// The store gets the request's body with one bit of it flipped.
    FlipBit,
    /// The request goes on after this long.
    Delay(Duration),
    /// The request goes on when the gate opens.
    Hold(Gate),
}

/// The requests that a fault is for.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    method: Option<String>,
    texts: Vec<String>,
    skip: usize,
    times: usize,
}

impl Rule {
    /// A rule for every request, for ever.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, texts: Vec::new(), skip: 0, times: usize::MAX }
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose target (path and query, percent-encoded) contains this, too.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.texts.push(text.to_owned());
        self
    }

    /// Not the first so many of its requests.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// The fault, if the rule takes this request; it counts the request then.
    pub(super) fn take(&mut self, method: &str, target: &str) -> Option<Fault> {
        let fits = self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.texts.iter().all(|text| target.contains(text.as_str()));
        if !fits || self.times == 0 {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.fault.clone())
    }
}

/// Holds requests until it is opened.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Arc::new(watch::channel(State::default()).0) }
    }
}

impl Gate {
    /// Returns when so many requests have come to the gate since its making.
    pub async fn arrived(&self, requests: usize) {
        self.wait(|state| state.arrived >= requests).await;
    }

    /// Lets all pass, those that wait and those that come.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    pub(super) async fn pass(&self) {
        self.state.send_modify(|state| state.arrived += 1);
        self.wait(|state| state.open).await;
    }

    async fn wait(&self, until: impl FnMut(&State) -> bool) {
        let mut states = self.state.subscribe();
        states.wait_for(until).await.expect("the gate lives as long as this borrow of it");
    }
}

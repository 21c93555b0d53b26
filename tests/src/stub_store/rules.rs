//! Which requests are answered wrongly, how, and how often.

use std::time::Duration;

use super::request::Kind;
use super::wire::Answer;

/// What is wrong with an answer.
#[derive(Clone, Debug)]
pub enum Lie {
    /// An error in place of the answer.
    Error(StoreAnswer),
    /// The status 200, and an error of this code in the body.
    ErrorInside(&'static str),
    /// The connection is closed without an answer.
    Close,
    /// An error once the head of the request has come, and the connection is closed.
    EarlyError(StoreAnswer),
    /// The answer comes this much later.
    Delay(Duration),
    /// The connection is closed after so many bytes of the answer's body.
    CutAt(usize),
    /// So many bytes of the body at once, with this pause after them.
    Drip(usize, Duration),
    /// The answer does not say its length: the body ends with the connection.
    Unmeasured,
    /// One bit of the body is another.
    FlipBit,
    /// So many bytes of the object's end are missing, also in the length.
    Shorter(usize),
    /// So many bytes follow the object, also in the length.
    Longer(usize),
    /// All of the object where a range was asked for.
    WholeForRange,
    /// This header has this value, or is missing.
    Header(&'static str, Option<&'static str>),
}

/// An error of a store.
#[derive(Clone, Debug)]
pub struct StoreAnswer {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// The requests that a lie is for.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) lie: Lie,
    kind: Kind,
    key: String,
    skip: usize,
    times: usize,
    /// True when the store does what is asked before it answers wrongly.
    pub(super) acts: bool,
}

/// An error with this status and code.
#[must_use]
pub fn error(status: u16, code: &'static str) -> StoreAnswer {
    StoreAnswer { status, code, message: "why", headers: Vec::new() }
}

impl StoreAnswer {
    /// The text for people.
    #[must_use]
    pub fn saying(mut self, message: &'static str) -> Self {
        self.message = message;
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn answer(&self) -> Answer {
        let answer = match self.code {
            "" => Answer::new(self.status, ""),
            code => Answer::error(self.status, code, self.message),
        };
        self.headers.iter().fold(answer, |answer, (name, value)| answer.with(name, *value))
    }
}

impl From<StoreAnswer> for Lie {
    fn from(answer: StoreAnswer) -> Self {
        Self::Error(answer)
    }
}

impl Rule {
    /// A rule for one request of this kind.
    #[must_use]
    pub fn once(kind: Kind, lie: impl Into<Lie>) -> Self {
        Self { times: 1, ..Self::always(kind, lie) }
    }

    /// A rule for all requests of this kind.
    #[must_use]
    pub fn always(kind: Kind, lie: impl Into<Lie>) -> Self {
        Self { lie: lie.into(), kind, key: String::new(), skip: 0, times: usize::MAX, acts: false }
    }

    /// Only requests whose key contains this.
    #[must_use]
    pub fn on(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
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

    /// The store does what is asked, and then answers wrongly.
    #[must_use]
    pub fn though_done(mut self) -> Self {
        self.acts = true;
        self
    }

    /// True when the rule takes this request; it counts the request then.
    pub(super) fn takes(&mut self, kind: Kind, key: &str) -> bool {
        let fits = self.kind == kind && key.contains(&self.key);
        if !fits || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

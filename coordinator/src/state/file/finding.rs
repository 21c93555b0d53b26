//! What is wrong with a database.

/// Findings of one kind that are told one by one; the rest of them are told as there being more.
const FINDINGS_PER_KIND_MAX: usize = 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, or `file`, `schema`, `migrations`.
    pub about: String,
    /// One line: what is wrong, and of which row.
    pub message: String,
}

impl Finding {
    /// Returns a finding, whose message becomes one line.
    #[must_use]
    pub fn new(about: &str, message: impl Into<String>) -> Self {
        Self { about: about.to_owned(), message: message.into().replace('\n', " ") }
    }
}

/// Findings in the order in which they were made; of each kind only so many.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds those of one kind. What there are too many of is told in one more line.
    pub fn add(&mut self, about: &str, found: Vec<String>) {
        let more = found.len().saturating_sub(FINDINGS_PER_KIND_MAX);
        let told = found.into_iter().take(FINDINGS_PER_KIND_MAX);
        self.0.extend(told.map(|message| Finding::new(about, message)));
        if more > 0 {
            self.0.push(Finding::new(about, format!("and {more} more of this kind")));
        }
    }

    /// Returns all of them.
    #[must_use]
    pub fn all(self) -> Vec<Finding> {
        self.0
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

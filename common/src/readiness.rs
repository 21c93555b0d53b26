//! Whether a process can do its work now, and why not.

use std::collections::BTreeMap;

/// Why a process cannot do its work, by the part of it; ready while there is no cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessReadiness(BTreeMap<&'static str, String>);

impl ProcessReadiness {
    /// Returns the readiness of a process that waits for one part of it.
    #[must_use]
    pub fn waiting(part: &'static str, cause: impl Into<String>) -> Self {
        Self(BTreeMap::from([(part, cause.into())]))
    }

    /// Sets what keeps this part from its work; `None`: nothing does. Returns true when it is new.
    pub fn set(&mut self, part: &'static str, cause: Option<String>) -> bool {
        match cause {
            Some(cause) => self.0.insert(part, cause.clone()) != Some(cause),
            None => self.0.remove(part).is_some(),
        }
    }

    /// True when nothing keeps the process from its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the answer of `/readyz`: one line.
    #[must_use]
    pub fn line(&self) -> String {
        if self.is_ready() {
            return "ok\n".to_owned();
        }
        let causes = self.0.iter().map(|(part, cause)| format!("{part}: {cause}"));
        let line = causes.collect::<Vec<_>>().join("; ").replace(['\n', '\r'], " ");
        format!("not ready: {line}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_each_part_that_is_not_ready() {
        let mut readiness = ProcessReadiness::default();
        assert_eq!((readiness.is_ready(), &*readiness.line()), (true, "ok\n"));
        assert!(readiness.set("driver", Some("it is\nslow".to_owned())));
        assert!(!readiness.set("driver", Some("it is\nslow".to_owned())));
        assert!(readiness.set("database", Some("it is full".to_owned())));
        assert_eq!(readiness.line(), "not ready: database: it is full; driver: it is slow\n");
        assert!(readiness.set("driver", None) && !readiness.set("driver", None));
        assert_eq!(readiness, ProcessReadiness::waiting("database", "it is full"));
        assert!(!readiness.is_ready());
    }
}

//! Commits: JSON values to actions, and actions to lines that are the same actions.
#![no_main]

use deepclone_delta::actions::{self, LogAction};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parsed = match actions::parse_commit(bytes) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut written = String::new();
    for action in &parsed.actions {
        let line = action.to_json();
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        let again = LogAction::from_json(&line).expect("what is written can be read");
        assert_eq!(again.to_json(), line);
        written.push_str(&line);
        written.push('\n');
    }
    let again = actions::parse_commit(written.as_bytes()).expect("written lines are a commit");
    assert_eq!(again.actions.len(), parsed.actions.len());
});

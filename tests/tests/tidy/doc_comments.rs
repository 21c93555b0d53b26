//! A doc comment says more than the name below it: none has three words or fewer.

use crate::workspace::{none, read, shown, sources};

const SHORT_WORDS_MAX: usize = 3;

#[test]
fn no_doc_comment_only_repeats_a_name() {
    let mut broken = Vec::new();
    for file in sources(&["rs"]) {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        let short = short_comments(&lines).into_iter();
        broken.extend(short.map(|(at, comment)| format!("{}:{at}: {comment}", shown(&file))));
    }
    none(&broken);
}

/// The doc comments of a file that have too few words, with their first lines.
fn short_comments(lines: &[&str]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text = |line: &str| line.trim_start().strip_prefix("///").map(str::to_owned);
    let mut at = 0;
    while at < lines.len() {
        let comment: Vec<String> = lines[at..].iter().map_while(|line| text(line)).collect();
        let words = comment.iter().flat_map(|line| line.split_whitespace()).count();
        if (1..=SHORT_WORDS_MAX).contains(&words) {
            found.push((at + 1, comment.concat().trim().to_owned()));
        }
        at += comment.len().max(1);
    }
    found
}

#[test]
fn the_words_of_a_whole_comment_are_counted() {
    let text =
        "/// The job.\njob: u8,\n/// The job\n/// of a client.\njob: u8,\n    /// Two words\n";
    let lines: Vec<&str> = text.lines().collect();
    let found = short_comments(&lines);
    assert_eq!(found, [(1, "The job.".to_owned()), (6, "Two words".to_owned())]);
}

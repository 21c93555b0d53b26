//! Sizes of files, functions and lines, and the opening of every file.

use std::fs;

use crate::workspace::{none, read, root, shown, sources};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;
const SERVER_MAIN_LINES_MAX: usize = 60;

#[test]
fn files_functions_and_lines_stay_short() {
    let mut broken = Vec::new();
    for file in sources(&["rs", "py"]) {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        let name = shown(&file);
        if lines.len() > FILE_LINES_MAX {
            broken.push(format!("{name}: {} lines, at most {FILE_LINES_MAX}", lines.len()));
        }
        for (number, line) in lines.iter().enumerate() {
            let length = line.chars().count();
            if length > LINE_CHARACTERS_MAX {
                broken.push(format!("{name}:{}: {length} characters", number + 1));
            }
        }
        if file.extension().is_some_and(|ending| ending == "rs") {
            broken.extend(
                functions(&lines)
                    .into_iter()
                    .filter(|(_, length)| *length > FUNCTION_LINES_MAX)
                    .map(|(line, length)| format!("{name}:{line}: a function of {length} lines")),
            );
        }
    }
    none(&broken);
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    let broken: Vec<String> = sources(&["rs"])
        .iter()
        .filter(|file| !read(file).starts_with("//!"))
        .map(|file| format!("{}: does not open with `//!`", shown(file)))
        .collect();
    none(&broken);
}

#[test]
fn the_mains_of_the_servers_only_parse_and_run() {
    let mut broken = Vec::new();
    for package in ["coordinator", "worker"] {
        let file = root().join(package).join("src/main.rs");
        if let Ok(text) = fs::read_to_string(&file) {
            let lines = text.lines().count();
            if lines > SERVER_MAIN_LINES_MAX {
                broken.push(format!("{}: {lines} lines", shown(&file)));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_length_of_a_function_is_counted_to_its_closing_brace() {
    let text = "fn a() {\n    b();\n}\n\nimpl C {\n    async fn d(\n        e: u8,\n    ) -> u8 {\n\
                \n    }\n    fn f() {}\n}\ntrait G {\n    fn h(&self);\n}\n";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(functions(&lines), vec![(1, 3), (6, 5)]);
}

/// The functions of a formatted file: the line each starts at, counted from 1, and its length.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !opens_function(line) {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let ended = lines[start..].iter().position(|line| {
            *line == closing || line.ends_with("; }") || line.ends_with("{}") || line.ends_with(';')
        });
        // A body is only ever closed by a brace alone; the other endings belong to one-liners.
        let body = lines[start..].iter().position(|line| line.ends_with('{'));
        if let (Some(ended), Some(body)) = (ended, body)
            && body < ended.max(1)
            && let Some(end) = lines[start..].iter().position(|line| *line == closing)
        {
            found.push((start + 1, end + 1));
        }
    }
    found
}

fn opens_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(") "))
            .map_or_else(|| after.trim_start(), |(_, after_visibility)| after_visibility);
    }
    for qualifier in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(qualifier).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

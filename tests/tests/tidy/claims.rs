//! Each claim of the page on compatibility names a test that exists.

use crate::workspace::{none, read, root, shown, sources};

#[test]
fn what_the_page_on_compatibility_claims_is_shown_by_tests() {
    let page = root().join("docs/compatibility.md");
    let files = sources(&["rs"]);
    let mut broken = Vec::new();
    let mut headings = 0;
    for (number, line) in read(&page).lines().enumerate() {
        let at = format!("{}:{}", shown(&page), number + 1);
        let claims: Vec<_> = line
            .split('`')
            .filter_map(|word| word.split_once("::"))
            .filter(|(file, _)| file.ends_with(".rs"))
            .collect();
        headings += usize::from(line.ends_with("| shown by |"));
        let is_row = line.starts_with('|') && !line.ends_with("| shown by |");
        if is_row && !line.starts_with("| ---") && claims.is_empty() {
            broken.push(format!("{at}: a row without a test"));
        }
        for (file, test) in claims {
            let ending = format!("/{file}");
            let found: Vec<_> =
                files.iter().filter(|path| path.to_string_lossy().ends_with(&ending)).collect();
            match found.as_slice() {
                [path] if has_test(&read(path), test) => {}
                [path] => broken.push(format!("{at}: no test {test} in {}", shown(path))),
                _ => broken.push(format!("{at}: {} files end in {file}", found.len())),
            }
        }
    }
    assert!(headings > 0, "no table in {}", shown(&page));
    none(&broken);
}

/// True when the file has a function of that name under an attribute of tests.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let opening = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let is_it = line.strip_prefix("async ").unwrap_or(line).starts_with(&opening);
        let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        is_it && above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn links_of_the_pages_lead_to_files() {
    let mut broken = Vec::new();
    for page in sources(&["md"]) {
        let folder = page.parent().unwrap_or(root());
        for (number, line) in read(&page).lines().enumerate() {
            for link in links(line) {
                let path = link.split('#').next().unwrap_or_default();
                if !link.contains("://") && !path.is_empty() && !folder.join(path).exists() {
                    broken.push(format!("{}:{}: no {path}", shown(&page), number + 1));
                }
            }
        }
    }
    none(&broken);
}

#[test]
fn every_decision_has_its_date_and_status() {
    let broken: Vec<String> = sources(&["md"])
        .iter()
        .filter(|page| page.starts_with(root().join("docs/decisions")))
        .filter(|page| page.file_name().is_some_and(|name| name != "README.md"))
        .filter(|page| {
            let text = read(page);
            let third = text.lines().nth(2).unwrap_or_default();
            !(third.starts_with("Date: ") && third.contains(". Status: "))
        })
        .map(|page| format!("{}: no line of date and status", shown(page)))
        .collect();
    none(&broken);
}

/// The targets of a line's links.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|after| after.split(')').next())
}

//! The example and the page that explain the file.

use super::super::declaration::DEFAULTS;
use super::*;

#[test]
fn the_example_has_no_mistake() {
    let text = include_str!("../../../../examples/replications.toml");
    let names: Vec<String> = read(text).specs.iter().map(|spec| spec.name.to_string()).collect();
    assert_eq!(names, ["shop-dr", "reports", "payments-dr"]);
}

#[test]
fn the_page_names_every_key() {
    let page = include_str!("../../../../docs/replications.md");
    for key in DEFAULTS.into_iter().chain(["version", "name", "renamed_from", "takes_over"]) {
        let names = [format!("| `{key}`"), format!(", `{key}`"), format!(".{key}]]`")];
        assert!(names.iter().any(|name| page.contains(name)), "{key}");
    }
}

#[test]
fn the_files_of_the_page_have_no_mistake() {
    let page = include_str!("../../../../docs/replications.md");
    let read = |form: FileForm, opening: &str| {
        // The page shows a part of `deepclone.toml`, too.
        let is_file = |text: &&str| text.starts_with("version");
        let texts: Vec<&str> = page.split(opening).skip(1).filter(is_file).collect();
        assert!(!texts.is_empty(), "{opening}");
        for text in texts {
            let text = text.split("```").next().unwrap();
            if let Err(errors) = ReplicationFile::read("page", text, form, NOW) {
                panic!("{errors}");
            }
        }
    };
    read(FileForm::Toml, "```toml\n");
    read(FileForm::Yaml, "```yaml\n");
}

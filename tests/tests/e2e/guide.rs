//! The guide's way to a kept replica (docs/getting-started.md), its files and commands as they are
//! written there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use deepclone_tests::process::{self, Server};

/// The section of the guide, between its fences.
struct Section {
    /// The files that it has the reader write, in the order of the text.
    files: Vec<String>,
    commands: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn section(heading: &str) -> Section {
    let guide = repository().join("docs/getting-started.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let (_, text) = guide.split_once(&format!("\n## {heading}\n")).expect("the section is there");
    let text = text.split("\n## ").next().unwrap_or_default();
    let (mut files, mut commands) = (Vec::new(), Vec::new());
    for block in text.split("\n```").skip(1).step_by(2) {
        let (language, block) = block.split_once('\n').expect("a block has lines");
        match language {
            "toml" => files.push(block.to_owned()),
            "console" => {
                let typed = block.lines().filter_map(|line| line.strip_prefix("$ "));
                commands.extend(typed.map(ToOwned::to_owned));
            }
            _ => {}
        }
    }
    Section { files, commands }
}

/// A reader's home, with the checkout in it.
struct Reader {
    home: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a scratch folder");
        let examples = home.path().join("examples");
        std::os::unix::fs::symlink(repository().join("examples"), examples).expect("a new link");
        Self { home }
    }

    /// What is typed there, with another home and other ports than the guide names.
    fn shell(&self, typed: &str, coordinator: Option<&Server>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", typed]).current_dir(self.home.path()).env("HOME", self.home.path());
        let binaries = process::binary("deepclone").parent().expect("a folder").to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", binaries.display()));
        if let Some(coordinator) = coordinator {
            command.env("DEEPCLONE_COORDINATOR", coordinator.url());
        }
        command
    }

    fn write(&self, name: &str, text: &str) {
        let home = self.home.path().display().to_string();
        let text = text.replace("/home/me", &home);
        std::fs::write(self.home.path().join(name), text).expect("a new file");
    }

    /// Types this until it succeeds, as somebody would who looks whether it is done.
    #[track_caller]
    fn patiently(&self, typed: &str, coordinator: &Server) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let (code, output, errors) = process::run(&mut self.shell(typed, Some(coordinator)));
            if code == 0 {
                return output;
            }
            assert!(Instant::now() < until, "{typed}: {code}: {output}{errors}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn the_guide_leads_to_a_kept_replica() {
    let Section { files, commands } = section("A replica that is kept");
    let reader = Reader::new();
    let [connections, replications] = files.as_slice() else { panic!("{files:?}") };
    reader.write("deepclone.toml", connections);
    reader.write("replications.toml", replications);
    let mut server = None;
    let mut answers = Vec::new();
    for typed in &commands {
        if typed.contains("replication serve") {
            let typed = format!("exec {typed} --listen 127.0.0.1:0 --http-listen 127.0.0.1:0");
            server = Some(process::listening(reader.shell(&typed, None)));
        } else if let Some(server) = &server {
            // The address is another one here.
            if !typed.starts_with("export ") {
                answers.push((typed.as_str(), reader.patiently(typed, server)));
            }
        } else {
            let (code, output, errors) = process::run(&mut reader.shell(typed, None));
            assert_eq!(code, 0, "{typed}: {output}{errors}");
        }
    }
    let server = server.expect("the guide serves");
    let answer = |part: &str| {
        let found = answers.iter().find(|(typed, _)| typed.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {answers:?}")).1.as_str()
    };
    assert!(answer("replication ready").contains("we can fail over"), "{answers:?}");
    assert!(answer("replication get").contains("my-table"), "{answers:?}");
    assert!(reader.home.path().join("dr/my-table/_delta_log").is_dir());
    // The metrics follow within some seconds.
    let name = "replication=\"my-dr\",owner=\"\"";
    for start in [
        format!("deepclone_replication_ready{{{name},answer=\"yes\"}} 1"),
        "deepclone_replications_ready{group=\"\",answer=\"yes\"} 1".to_owned(),
        format!("deepclone_replication_rounds_total{{{name},outcome=\"done\"}} [1-9]"),
        format!("deepclone_replication_read_bytes_total{{{name}}} [1-9]"),
    ] {
        let typed = format!("curl -sf http://{}/metrics | grep '^{start}'", server.http);
        reader.patiently(&typed, &server);
    }
}

//! Our binaries as real processes: started, watched until ready, killed without mercy.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A server of ours that said that it is ready. It is killed when dropped.
pub struct Server {
    child: Child,
    /// The first address of its ready line: where it listens, or with whom it registered.
    pub address: String,
    /// Where it serves `/livez`, `/readyz` and `/metrics`.
    pub http: String,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// Starts a coordinator on an address (port 0 takes a free one); `arguments` follow.
#[track_caller]
pub fn coordinator(listen: &str, arguments: &[&str]) -> Server {
    let mut command = Command::new(binary("deepclone-coordinator"));
    command.args(["--listen", listen, "--http-listen", "127.0.0.1:0"]).args(arguments);
    listening(command)
}

/// Starts whatever says where it listens, as a coordinator does.
#[track_caller]
#[must_use]
pub fn listening(command: Command) -> Server {
    Server::start(command, "listening on ")
}

/// Starts a worker of the coordinator at `http://ADDR`.
#[track_caller]
pub fn worker(coordinator: &str, name: &str, arguments: &[&str]) -> Server {
    let mut command = Command::new(binary("deepclone-worker"));
    command.args(["--coordinator", coordinator, "--name", name]).args(arguments);
    registered(command)
}

/// Starts whatever says where it registered, as a worker does.
#[track_caller]
#[must_use]
pub fn registered(command: Command) -> Server {
    Server::start(command, "registered with ")
}

/// The command line, to which arguments and settings are added; it inherits no setting of a store.
#[must_use]
pub fn deepclone() -> Command {
    let mut command = Command::new(binary("deepclone"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["AWS_", "AZURE_", "SOURCE_", "TARGET_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end: exit code, standard output, standard error.
#[track_caller]
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the command starts");
    let code = status.code().unwrap_or_else(|| panic!("{command:?} was killed: {status}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    (code, text(stdout), text(stderr))
}

/// A binary of this workspace, as built beside the running test.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own file");
    let built = test.parent().and_then(Path::parent).expect("it lies in deps/").join(name);
    assert!(built.is_file(), "{} is not built: use `make test`", built.display());
    built
}

impl Server {
    #[track_caller]
    fn start(mut command: Command, ready: &str) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        let errors = keep(child.stderr.take().expect("piped"), Arc::clone(&log));
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its output is text");
        let Some((address, http)) = ready_line(&line, ready) else {
            child.kill().ok();
            let status = child.wait();
            errors.join().ok();
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            panic!("{command:?} said {line:?}, then {status:?}\n{log}");
        };
        let rest = keep(output, Arc::clone(&log));
        Self { child, address, http, log, readers: vec![errors, rest] }
    }

    /// `http://ADDR` of a coordinator.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has written to standard error, and to standard output after the ready line.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What everybody on this machine sees of how it was started.
    #[must_use]
    pub fn command_line(&self) -> String {
        let file = format!("/proc/{}/cmdline", self.child.id());
        std::fs::read_to_string(file).expect("the process runs").replace('\0', " ")
    }

    /// SIGKILL, and gone on return.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("a killed process ends");
        self.readers.drain(..).for_each(|reader| reader.join().expect("the log is read"));
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGHUP: it reads its configuration again.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// SIGTERM, then waits until it ends by itself.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().expect("a terminated process ends")
    }

    fn signal(&self, signal: &str) {
        let number = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status().expect("kill runs");
        assert!(sent.success(), "no signal could be sent");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln_log(&self.log());
        }
    }
}

/// The address and the HTTP address of a ready line: `…PREFIX ADDR[ as NAME] http=ADDR`.
fn ready_line(line: &str, prefix: &str) -> Option<(String, String)> {
    let rest = line.trim_end().strip_prefix(prefix)?;
    let (first, http) = rest.rsplit_once(" http=")?;
    Some((first.split(' ').next()?.to_owned(), http.to_owned()))
}

fn keep(mut from: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..length]);
            log.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    })
}

#[expect(clippy::print_stderr, reason = "the log of a server belongs to the failed test's output")]
fn eprintln_log(log: &str) {
    eprintln!("{log}");
}

#[cfg(test)]
mod tests {
    use super::ready_line;

    #[test]
    fn ready_lines_give_their_addresses() {
        let cases = [
            ("listening on 127.0.0.1:1 http=127.0.0.1:2\n", "listening on ", "127.0.0.1:1"),
            ("registered with http://a:1 as w http=b:2\n", "registered with ", "http://a:1"),
        ];
        for (line, prefix, address) in cases {
            let (found, http) = ready_line(line, prefix).expect("a ready line");
            assert_eq!(found, address);
            assert!(http.ends_with(":2"));
        }
        assert_eq!(ready_line("error: no\n", "listening on "), None);
    }
}

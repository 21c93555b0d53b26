//! The coordinator as a process of its own, from the folder in which this program was built.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ticks of a second in which the kernel counts processor time.
const TICKS: f64 = 100.0;

/// A running coordinator; it ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    /// Starts one with this configuration and database.
    pub(crate) fn start(config: &Path, database: &Path) -> Result<Self, Box<dyn Error>> {
        let own = std::env::current_exe()?;
        let built = own.parent().and_then(Path::parent).ok_or("no folder of programs")?;
        let mut child = Command::new(built.join("deepclone-coordinator"))
            .arg("--config")
            .arg(config)
            .args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--database"])
            .arg(format!("sqlite:{}", database.display()))
            .env("DEEPCLONE_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.split(' ').nth(2).ok_or("the coordinator did not start")?;
        let url = format!("http://{address}");
        Ok(Self { child, url })
    }

    /// Seconds of a processor that it took.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Box<dyn Error>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name may hold spaces: what follows it is counted from its end.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
        Ok((ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS)
    }

    /// Its largest resident memory, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<u64, Box<dyn Error>> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.ok_or("no peak of memory")? / 1_024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _gone = self.child.wait();
    }
}

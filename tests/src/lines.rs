//! A client of the JSON-line servers: one line asks, one line answers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::environment::{environment, scripts};

/// A running server. It ends when its input closes, at the latest with the test's process.
pub(crate) struct LineServer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    program: &'static str,
}

impl LineServer {
    /// Starts a program of `tests/env/` in the tools' Python.
    pub(crate) fn start(program: &'static str) -> Self {
        let tools = &environment().tools;
        let mut child = Command::new(&tools.python)
            .arg(scripts().join(program))
            .env("DEEPCLONE_SPARK_JARS", &tools.jars)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the tools' Python starts");
        let input = child.stdin.take().expect("its input is piped");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, input, output, program }
    }

    /// Asks and waits for the answer: what `ok` holds, or the text of `error`.
    ///
    /// # Panics
    /// When the server died.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let mut line = String::new();
        let asked = writeln!(self.input, "{request}").and_then(|()| self.input.flush());
        if asked.is_err() || self.output.read_line(&mut line).unwrap_or(0) == 0 {
            panic!("{} ended ({:?}) at {request}", self.program, self.child.wait());
        }
        let mut answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}

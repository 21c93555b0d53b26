//! Logs: to stderr, as text on a terminal and as JSON lines elsewhere. An event is one line, and
//! shows what it quotes from outside with what cannot be seen as escapes.

use std::io::{self, IsTerminal, Write};

use deepclone_core::visible::{one_line, visible, visible_json};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format;

use crate::panics::log_panics;

/// Starts the log of this process; a second call changes nothing. `DEEPCLONE_LOG` holds a filter in
/// the syntax of [`EnvFilter`]; `default_filter` applies when it is unset or malformed. A panic is
/// an event, too.
pub fn init(default_filter: &str) {
    let filter = std::env::var("DEEPCLONE_LOG").unwrap_or_default();
    let asked = if filter.is_empty() { default_filter } else { &filter };
    let filter = EnvFilter::try_new(quieted(asked))
        .unwrap_or_else(|_| EnvFilter::new(quieted(default_filter)));
    // Fails only when another subscriber is installed already, which then stays.
    let _started = match io::stderr().is_terminal() {
        true => tracing::subscriber::set_global_default(text_lines(filter, io::stderr)),
        false => tracing::subscriber::set_global_default(json_lines(filter, io::stderr)),
    };
    log_panics();
}

/// Adds that the libraries which read a table a second time tell warnings alone: at `info` they
/// tell their own state in pages. A filter that names them stays as it is.
fn quieted(filter: &str) -> String {
    const READERS: [&str; 2] = ["buoyant_kernel", "deltalake"];
    let is_said = |reader: &&str| filter.contains(*reader) || filter.trim() == "off";
    let quiet = READERS.iter().filter(|reader| !is_said(reader));
    quiet.fold(filter.to_owned(), |filter, reader| format!("{filter},{reader}=warn"))
}

/// Writes events as text for people.
fn text_lines<O: Write>(
    filter: EnvFilter,
    writer: impl Fn() -> O + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let fields = format::debug_fn(|writer, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", one_line(&value)),
            name => write!(writer, "{name}={}", visible(&value)),
        }
    });
    let fields = fields.delimited(" ");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).fmt_fields(fields);
    builder.with_writer(writer).finish()
}

/// Writes events as JSON for programs.
fn json_lines<O: Write>(
    filter: EnvFilter,
    writer: impl Fn() -> O + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let writer = move || VisibleJson(writer());
    tracing_subscriber::fmt().with_env_filter(filter).json().with_writer(writer).finish()
}

/// Writes JSON lines, of which it is given whole ones, with what cannot be seen as escapes.
struct VisibleJson<W>(W);

impl<W: Write> Write for VisibleJson<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible_json(&String::from_utf8_lossy(lines)).as_bytes())?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the lines of a log of one event that quotes `text` in every way.
    fn logged(is_text: bool, text: &str) -> String {
        let kept = Kept::default();
        let (filter, to) = (EnvFilter::new("info"), kept.clone());
        let subscriber: Box<dyn Subscriber + Send + Sync> = match is_text {
            true => Box::new(text_lines(filter, move || to.clone())),
            false => Box::new(json_lines(filter, move || to.clone())),
        };
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(text);
            tracing::warn!(%error, table = text, size = 3, worker = %text, "lost {text}");
        });
        String::from_utf8(std::mem::take(&mut kept.0.lock().unwrap())).unwrap()
    }

    #[test]
    fn a_second_reader_tells_warnings_alone_unless_it_is_named() {
        for (asked, filter) in [
            ("info", "info,buoyant_kernel=warn,deltalake=warn"),
            ("info,audit=off", "info,audit=off,buoyant_kernel=warn,deltalake=warn"),
            ("info,buoyant_kernel=debug", "info,buoyant_kernel=debug,deltalake=warn"),
            ("off", "off"),
        ] {
            assert_eq!(quieted(asked), filter);
            assert!(EnvFilter::try_new(quieted(asked)).is_ok(), "{filter}");
        }
    }

    #[test]
    fn an_event_is_one_line_and_hides_nothing() {
        for text in ["a\nb", "\u{1b}[2J", "\u{9b}2J", "a\u{202e}b", "\r\0\u{7f}", "\u{2028}"] {
            for is_text in [true, false] {
                let lines = logged(is_text, text);
                let line = lines.strip_suffix('\n').unwrap();
                // The colours of the level and the time are of the log itself.
                let own = ["\u{1b}[2m", "\u{1b}[0m", "\u{1b}[33m"];
                let line = own.iter().fold(line.to_owned(), |line, own| line.replace(own, ""));
                assert!(!line.contains(deepclone_core::visible::is_hidden), "{line:?}");
                if !is_text {
                    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                    assert_eq!(event["fields"]["table"], *text, "JSON keeps the text itself");
                }
            }
        }
        let shown = logged(true, "orders");
        let fields = "lost orders error=orders table=\"orders\" size=3 worker=orders";
        assert!(shown.contains(fields), "{shown}");
    }
}

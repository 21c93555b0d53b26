//! Writes answers to stdout and everything else to stderr.
//!
//! A closed pipe (`deepclone history … | head -1`) is not an error.

use std::io::{ErrorKind, Write};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

/// Writes lines to stdout.
///
/// # Errors
/// `INTERNAL` when stdout cannot be written, as on a full disk.
pub fn answer(text: &str) -> Result<(), Failure> {
    write_line(&mut std::io::stdout().lock(), text).map_err(|error| {
        Failure::new(Reason::Internal, format!("the answer cannot be written to stdout: {error}"))
    })
}

/// Writes lines to stderr. An error is ignored: nobody could be told.
pub fn aside(text: &str) {
    let _ = write_line(&mut std::io::stderr().lock(), text);
}

fn write_line(to: &mut impl Write, text: &str) -> std::io::Result<()> {
    let written =
        to.write_all(text.as_bytes()).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        assert!(write_line(&mut Broken(ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_line(&mut Broken(ErrorKind::StorageFull), "x").is_err());
        let mut lines = Vec::new();
        write_line(&mut lines, "a\nb").unwrap();
        assert_eq!(lines, b"a\nb\n");
    }
}

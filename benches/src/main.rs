//! Starts the server, writes its two addresses as a line of JSON, and ends with its input.

use std::io::{self, Write as _};

#[tokio::main]
async fn main() -> io::Result<()> {
    let addresses = deepclone_benches::start().await?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&addresses)?)?;
    // It closes when the bench ends, in whatever way.
    let ended = || io::copy(&mut io::stdin().lock(), &mut io::sink());
    tokio::task::spawn_blocking(ended).await??;
    Ok(())
}

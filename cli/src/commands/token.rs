//! `deepclone token`: a token for a principal of a coordinator, and the digest that is kept of it.

use deepclone_common::access::new_token;
use deepclone_core::failure::Failure;

use crate::render::CommandOutput;

/// Runs `deepclone token`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn run() -> Result<CommandOutput, Failure> {
    #[derive(serde::Serialize)]
    struct Object<'a> {
        token: &'a str,
        sha256: &'a str,
    }
    let made = new_token();
    let (token, sha256) = (made.token.expose(), made.sha256.as_str());
    let text = format!(
        "token   {token}\nsha256  {sha256}\n\nThe token is shown this once: it goes to its owner \
         alone.\nThe digest goes into the coordinator's file of principals:\n\n    tokens = [{{ \
         sha256 = \"{sha256}\" }}]"
    );
    CommandOutput::new(text, &Object { token, sha256 })
}

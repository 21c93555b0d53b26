//! The bounds of what identity providers and their tokens make a process do.

use std::time::Duration;

/// The longest JWT that is read. Those of identity providers have 1 to 4 KiB.
pub(super) const TOKEN_BYTES_MAX: usize = 8 << 10;

/// How far the clocks of an identity provider and of ours may be apart.
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

/// The largest set of keys that is read from a URL. A key has 1 to 3 KiB with its certificates.
pub(super) const KEY_SET_BYTES_MAX: usize = 1 << 20;

/// How long an answer with keys may take as a whole.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How often keys are asked for while nothing says that they changed.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long nobody is asked again, whatever tokens show: who holds none that counts could make us
/// ask the identity provider at any rate otherwise.
pub(super) const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// How many redirects within one host are followed.
pub(super) const REDIRECTS_MAX: usize = 3;

const _: () = assert!(ANSWER_TIME_MAX.as_secs() < ASK_AGAIN_AFTER.as_secs());
const _: () = assert!(ASK_AGAIN_AFTER.as_secs() < ASK_EVERY.as_secs());

//! JWTs of an identity provider (OIDC): whose count, by which keys, and what they say.
//!
//! * `issuer`: `[oidc]` of the file of principals; token → what it comes to.
//! * `check`: token and keys → claims, by the signature alone.
//! * `claims`: issuer, audience and time; which claims make a principal known.
//! * `refusal`: why a token does not count.
//! * `key_source`: a file, or a URL; `fetch` asks a URL once, `asked` again and again.
//! * `keys`: a JWK Set; `provider`: signatures by ring.
//! * `limits`: the bounds of all that.

mod asked;
mod check;
mod claims;
mod fetch;
mod issuer;
mod key_source;
mod keys;
mod limits;
mod provider;
mod refusal;
#[cfg(test)]
mod tests;

pub(super) use check::is_shaped;
pub(super) use claims::ClaimMatch;
pub(super) use issuer::{Judged, OidcSettings, TokenIssuer};
pub(super) use key_source::OpenKeys;
pub(super) use refusal::JwtRefusal;

//! What a request shows of who makes it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::listener::Peer;
use crate::secret::Secret;

/// What a request shows of who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    /// A header that is none of ours.
    Malformed,
    /// A token of ours, or a JWT.
    Token(Secret),
    /// The names in a verified certificate.
    Certificate(Arc<[String]>),
}

impl Credential {
    /// Returns what a request shows: its token, else the certificate of its connection. A browser
    /// sends a token as the password of a name that counts for nothing.
    #[must_use]
    pub fn of(headers: &HeaderMap, peer: Option<&Peer>) -> Self {
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        match (shown.next(), shown.next()) {
            (None, _) => match peer {
                Some(peer) if !peer.names.is_empty() => Self::Certificate(Arc::clone(&peer.names)),
                _ => Self::None,
            },
            (Some(value), None) => {
                let token = value.to_str().ok().and_then(token);
                token.map_or(Self::Malformed, |token| Self::Token(Secret::new(token)))
            }
            (Some(_), Some(_)) => Self::Malformed,
        }
    }
}

/// Reads the token in the value of a header.
fn token(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_goes_before_a_certificate() {
        let address = "127.0.0.1:1".parse().ok();
        let peer = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string).collect();
            Peer { address, names }
        };
        let (bare, named) = (peer(&[]), peer(&["worker.example"]));
        let certificate = Credential::Certificate(Arc::clone(&named.names));
        let secret = Credential::Token(Secret::new("secret"));
        let basic = format!("Basic {}", STANDARD.encode("anna:secret"));
        for (values, peer, expected) in [
            (&[][..], None, Credential::None),
            (&[], Some(&bare), Credential::None),
            (&[], Some(&named), certificate),
            (&["Bearer secret"], Some(&named), secret.clone()),
            (&["bearer  secret "], None, secret.clone()),
            (&[&basic], None, secret),
            (&["Bearer"], Some(&named), Credential::Malformed),
            (&["Digest secret"], None, Credential::Malformed),
            (&["Basic ???"], None, Credential::Malformed),
            (&["Bearer secret", "Bearer other"], None, Credential::Malformed),
        ] {
            let shown = Credential::of(&headers(values), peer);
            assert_eq!(shown, expected, "{values:?}");
            assert!(!format!("{shown:?}").contains("\"secret"), "{shown:?}");
        }
    }
}

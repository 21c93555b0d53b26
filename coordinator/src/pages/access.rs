//! Who may act by the pages, and which requests count as theirs.
//!
//! Nobody is known by name yet. Whoever reaches a listener on loopback is on this machine, and may
//! act; a listener that others reach is for reading alone.
//!
//! A page of somebody else in a browser of this machine must not act, nor read what is shown. Two
//! ways would lead it here. It may let a name of its own stand for 127.0.0.1 (DNS rebinding):
//! `Host` must be a name of loopback; its port may be any, for a tunnel has its own. Or it may send
//! a form here from where it is (CSRF): the browser says so by `Sec-Fetch-Site` and `Origin`, and
//! it lacks the token that stands in each form of ours.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use deepclone_common::random;
use sha2::{Digest as _, Sha256};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What may be done at the pages' listener.
#[derive(Clone, Debug)]
pub enum PageAccess {
    /// It is on loopback: those who reach it may act.
    Local(Arc<LocalAccess>),
    /// Others reach it, too.
    ReadOnly,
}

/// The names and the secret of a listener on loopback.
#[derive(Debug)]
pub struct LocalAccess {
    /// What `Host` may be, with a port or without.
    names: Vec<String>,
    /// A name with the port of the listener, for people.
    shown: String,
    /// In each form; made anew with each process.
    token: String,
}

/// Why a request may not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    ReadOnly,
    /// It was sent by another page, or by no browser.
    Elsewhere,
    /// Its form is not of this process.
    OldForm,
}

impl PageAccess {
    /// Returns what may be done at a listener of this address.
    #[must_use]
    pub fn at(listener: SocketAddr) -> Self {
        if !listener.ip().is_loopback() {
            return Self::ReadOnly;
        }
        let own = match listener.ip() {
            IpAddr::V4(own) => own.to_string(),
            IpAddr::V6(own) => format!("[{own}]"),
        };
        let names = ["localhost", "127.0.0.1", "[::1]", &own].map(ToOwned::to_owned).to_vec();
        let shown = format!("localhost:{}", listener.port());
        let token = format!("{}{}", random::uuid().simple(), random::uuid().simple());
        Self::Local(Arc::new(LocalAccess { names, shown, token }))
    }

    /// The token for forms; `None` where nobody may act.
    pub(super) fn token(&self) -> Option<&str> {
        match self {
            Self::Local(local) => Some(&local.token),
            Self::ReadOnly => None,
        }
    }

    /// Whether a request is for a name of this listener.
    pub(super) fn is_own_host(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Local(local) => host(headers).is_some_and(|host| {
                local.names.iter().any(|name| host.strip_prefix(name).is_some_and(is_port))
            }),
            // By which names it is reached is not known, and nothing is done here.
            Self::ReadOnly => true,
        }
    }

    /// A name of this listener for people.
    pub(super) fn own_host(&self) -> Option<&str> {
        match self {
            Self::Local(local) => Some(&local.shown),
            Self::ReadOnly => None,
        }
    }

    /// Allows a request to act, with the token of its form.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn allow(&self, headers: &HeaderMap, token: &str) -> Result<(), Denied> {
        let Self::Local(local) = self else { return Err(Denied::ReadOnly) };
        if !is_from_own_page(headers) {
            return Err(Denied::Elsewhere);
        }
        // By their digests, so that comparing tells nothing of the token by its time.
        match Sha256::digest(token) == Sha256::digest(&local.token) {
            true => Ok(()),
            false => Err(Denied::OldForm),
        }
    }
}

impl Denied {
    /// What a person is told.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "These pages are served beyond this machine, and nobody is known by name here: \
                 they are for reading alone. The command line does the same."
            }
            Self::Elsewhere => "The request does not come from a page of this coordinator.",
            Self::OldForm => {
                "The page is from before the coordinator's last start: go back, reload it, and try \
                 again."
            }
        }
    }
}

/// Whether a page of this listener sent a request, as far as the browser says. One that says
/// nothing is none that people use.
fn is_from_own_page(headers: &HeaderMap) -> bool {
    let site = text(headers, &SEC_FETCH_SITE);
    let origin = text(headers, &ORIGIN);
    let is_own =
        |origin: &String| host(headers).is_some_and(|host| *origin == format!("http://{host}"));
    site.as_ref().is_none_or(|site| site == "same-origin")
        && origin.as_ref().is_none_or(is_own)
        && (site.is_some() || origin.is_some())
}

/// Whether this is what may follow a name in `Host`: a port, or nothing.
fn is_port(rest: &str) -> bool {
    let number = rest.strip_prefix(':');
    let is_number = |number: &str| {
        number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u16>().is_ok()
    };
    rest.is_empty() || number.is_some_and(is_number)
}

fn host(headers: &HeaderMap) -> Option<String> {
    text(headers, &HOST)
}

/// The one value of a header, in small letters.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or("?").to_lowercase()),
        // Two of them are nobody's.
        (Some(_), Some(_)) => Some("?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_listener_on_loopback_has_the_names_of_loopback_alone() {
        let v4 = PageAccess::at("127.0.0.1:7421".parse().unwrap());
        let other = PageAccess::at("127.0.0.5:7421".parse().unwrap());
        let v6 = PageAccess::at("[::1]:7421".parse().unwrap());
        let web = PageAccess::at("127.0.0.1:80".parse().unwrap());
        for (access, host, is_own) in [
            (&v4, "127.0.0.1:7421", true),
            (&v4, "localhost:7421", true),
            (&v4, "LocalHost:7421", true),
            (&v6, "[::1]:7421", true),
            (&other, "127.0.0.5:7421", true),
            (&web, "localhost", true),
            // A tunnel has a port of its own, which may be the one that browsers leave out.
            (&v4, "localhost:9000", true),
            (&v4, "127.0.0.1:80", true),
            (&v4, "[::1]:65535", true),
            (&v4, "localhost", true),
            (&v4, "localhost:", false),
            (&v4, "localhost:+80", false),
            (&v4, "localhost:65536", false),
            (&v4, "localhost:http", false),
            (&v4, "localhost.", false),
            (&v4, "127.0.0.5:7421", false),
            (&v4, "127.0.0.1.evil.example", false),
            (&v4, "127.0.0.10:7421", false),
            (&v4, "localhost.evil.example:7421", false),
            (&v4, "evil.example:7421", false),
            (&v4, "localhost:7421@evil.example", false),
            (&v4, "", false),
        ] {
            assert_eq!(access.is_own_host(&headers(&[(&HOST, host)])), is_own, "{host}");
        }
        assert!(!v4.is_own_host(&headers(&[])));
        let twice = [(&HOST, "localhost:7421"), (&HOST, "localhost:7421")];
        assert!(!v4.is_own_host(&headers(&twice)));
        let beyond = PageAccess::at("0.0.0.0:7421".parse().unwrap());
        assert!(beyond.is_own_host(&headers(&[(&HOST, "coordinator.example")])));
        assert!(beyond.token().is_none() && beyond.own_host().is_none());
        assert_ne!(v4.token(), other.token());
    }

    #[test]
    fn only_a_page_of_this_listener_acts() {
        let access = PageAccess::at("127.0.0.1:7421".parse().unwrap());
        let token = access.token().unwrap().to_owned();
        let (own, tunnel) = ((&HOST, "localhost:7421"), (&HOST, "127.0.0.1:9000"));
        let (same, origin) = ((&SEC_FETCH_SITE, "same-origin"), (&ORIGIN, "http://localhost:7421"));
        for (sent, expected) in [
            (vec![own, same, origin], Ok(())),
            (vec![own, same], Ok(())),
            (vec![own, origin], Ok(())),
            (vec![own], Err(Denied::Elsewhere)),
            (vec![own, (&SEC_FETCH_SITE, "cross-site"), origin], Err(Denied::Elsewhere)),
            (vec![own, (&SEC_FETCH_SITE, "same-site")], Err(Denied::Elsewhere)),
            (vec![own, (&SEC_FETCH_SITE, "none")], Err(Denied::Elsewhere)),
            (vec![own, same, (&ORIGIN, "http://evil.example")], Err(Denied::Elsewhere)),
            (vec![own, (&ORIGIN, "http://localhost:8000")], Err(Denied::Elsewhere)),
            // Through a tunnel, too, a page is one of the name and port that are asked for.
            (vec![tunnel, same, (&ORIGIN, "http://127.0.0.1:9000")], Ok(())),
            (vec![tunnel, origin], Err(Denied::Elsewhere)),
            (vec![tunnel, same, origin], Err(Denied::Elsewhere)),
            (vec![own, (&ORIGIN, "https://localhost:7421")], Err(Denied::Elsewhere)),
            (vec![own, (&ORIGIN, "null")], Err(Denied::Elsewhere)),
            (vec![own, origin, (&ORIGIN, "http://evil.example")], Err(Denied::Elsewhere)),
            (vec![origin], Err(Denied::Elsewhere)),
        ] {
            assert_eq!(access.allow(&headers(&sent), &token), expected, "{sent:?}");
        }
        let good = headers(&[own, same, origin]);
        for wrong in ["", "0", &token[1..], &token.to_uppercase()] {
            assert_eq!(access.allow(&good, wrong), Err(Denied::OldForm), "{wrong}");
        }
        let beyond = PageAccess::at("10.0.0.1:7421".parse().unwrap());
        assert_eq!(beyond.allow(&good, &token), Err(Denied::ReadOnly));
    }
}

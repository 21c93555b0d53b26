//! Who may act by the pages, and which requests count as theirs.
//!
//! Where callers are asked who they are, operators may act. Else whoever reaches a listener on
//! loopback is on this machine, and may act; a listener that others reach is for reading alone.
//!
//! A page of somebody else in a browser must not act, nor read what is shown. Two ways would lead
//! it here. It may let a name of its own stand for 127.0.0.1 (DNS rebinding): `Host` must be a name
//! of loopback; its port may be any, for a tunnel has its own. Where callers are known it would
//! lack their credentials, which browsers keep by name. Or it may send a form here from where it is
//! (CSRF): the browser says so by `Sec-Fetch-Site` and `Origin`, and it lacks the token that stands
//! in each form of ours.

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
    /// It is on loopback, or knows its callers: those whom it lets in may act.
    Acting(Arc<ActingAccess>),
    /// Others reach it, too.
    ReadOnly,
}

/// The names and the secret of a listener at which people act.
#[derive(Debug)]
pub struct ActingAccess {
    /// What `Host` may be, with a port or without; `None` where callers are known.
    names: Option<Vec<String>>,
    /// Of the listener's URLs: `http` or `https`.
    scheme: &'static str,
    /// The address by a name of loopback, for people.
    shown: String,
    /// In each form; made anew with each process.
    token: String,
}

/// How a listener is reached.
#[derive(Clone, Copy, Debug)]
pub struct PageListener {
    pub address: SocketAddr,
    /// Whether it has TLS.
    pub has_tls: bool,
    /// Whether callers are asked who they are.
    pub knows_callers: bool,
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
    /// Returns what may be done at a listener.
    #[must_use]
    pub fn at(listener: PageListener) -> Self {
        let PageListener { address, has_tls, knows_callers } = listener;
        if !address.ip().is_loopback() && !knows_callers {
            return Self::ReadOnly;
        }
        let own = match address.ip() {
            IpAddr::V4(own) => own.to_string(),
            IpAddr::V6(own) => format!("[{own}]"),
        };
        let names = ["localhost", "127.0.0.1", "[::1]", &own].map(ToOwned::to_owned).to_vec();
        let names = (!knows_callers).then_some(names);
        let scheme = if has_tls { "https" } else { "http" };
        let shown = format!("{scheme}://localhost:{}", address.port());
        let token = format!("{}{}", random::uuid().simple(), random::uuid().simple());
        Self::Acting(Arc::new(ActingAccess { names, scheme, shown, token }))
    }

    /// The token for forms; `None` where nobody may act.
    pub(super) fn token(&self) -> Option<&str> {
        match self {
            Self::Acting(acting) => Some(&acting.token),
            Self::ReadOnly => None,
        }
    }

    /// Whether a request is for a name of this listener.
    pub(super) fn is_own_host(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Acting(acting) => acting.names.as_ref().is_none_or(|names| {
                let host = host(headers).unwrap_or_default();
                names.iter().any(|name| host.strip_prefix(name).is_some_and(is_port))
            }),
            // By which names it is reached is not known, and nothing is done here.
            Self::ReadOnly => true,
        }
    }

    /// The address of this listener for people, where it has one name alone.
    pub(super) fn own_address(&self) -> Option<&str> {
        match self {
            Self::Acting(acting) if acting.names.is_some() => Some(&acting.shown),
            Self::Acting(_) | Self::ReadOnly => None,
        }
    }

    /// Allows a request to act, with the token of its form.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn allow(&self, headers: &HeaderMap, token: &str) -> Result<(), Denied> {
        let Self::Acting(acting) = self else { return Err(Denied::ReadOnly) };
        if !is_from_own_page(headers, acting.scheme) {
            return Err(Denied::Elsewhere);
        }
        // By their digests, so that comparing tells nothing of the token by its time.
        match Sha256::digest(token) == Sha256::digest(&acting.token) {
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
                "Nobody is known by name here, or you may only look: the pages are for reading \
                 alone."
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
fn is_from_own_page(headers: &HeaderMap, scheme: &str) -> bool {
    let site = text(headers, &SEC_FETCH_SITE);
    let origin = text(headers, &ORIGIN);
    let is_own =
        |origin: &String| host(headers).is_some_and(|host| *origin == format!("{scheme}://{host}"));
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

    fn at(address: &str) -> PageAccess {
        let address = address.parse().unwrap();
        PageAccess::at(PageListener { address, has_tls: false, knows_callers: false })
    }

    fn headers(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_listener_on_loopback_has_the_names_of_loopback_alone() {
        let v4 = at("127.0.0.1:7421");
        let other = at("127.0.0.5:7421");
        let v6 = at("[::1]:7421");
        let web = at("127.0.0.1:80");
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
        let beyond = at("0.0.0.0:7421");
        assert!(beyond.is_own_host(&headers(&[(&HOST, "coordinator.example")])));
        assert!(beyond.token().is_none() && beyond.own_address().is_none());
        assert_ne!(v4.token(), other.token());
    }

    #[test]
    fn only_a_page_of_this_listener_acts() {
        let access = at("127.0.0.1:7421");
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
        let beyond = at("10.0.0.1:7421");
        assert_eq!(beyond.allow(&good, &token), Err(Denied::ReadOnly));
    }

    #[test]
    fn a_listener_that_knows_its_callers_has_any_name_and_its_own_scheme() {
        let address = "10.0.0.1:7421".parse().unwrap();
        let access = PageAccess::at(PageListener { address, has_tls: true, knows_callers: true });
        let token = access.token().unwrap().to_owned();
        let own = (&HOST, "deepclone.example");
        assert!(access.is_own_host(&headers(&[own])) && access.own_address().is_none());
        for (origin, expected) in [
            ("https://deepclone.example", Ok(())),
            ("http://deepclone.example", Err(Denied::Elsewhere)),
            ("https://evil.example", Err(Denied::Elsewhere)),
        ] {
            let sent = headers(&[own, (&SEC_FETCH_SITE, "same-origin"), (&ORIGIN, origin)]);
            assert_eq!(access.allow(&sent, &token), expected, "{origin}");
            assert!(access.allow(&sent, "other").is_err());
        }
    }
}

//! Removes secrets from a text before a person or a log gets it: the only place that does.
//!
//! Three kinds of secrets are replaced by `***`: the user and the query of a URL (signatures stand
//! there), the value after a name such as `sig=…`, `"token":"…"` or an `Authorization` header, and
//! the elements of an XML answer that repeat what was signed.

/// The mark in place of a secret.
const REMOVED: &str = "***";

/// Elements of a store's answer that repeat the signed request or its credentials.
const SECRET_ELEMENTS: &[&str] = &[
    "StringToSign",
    "StringToSignBytes",
    "CanonicalRequest",
    "CanonicalRequestBytes",
    "SignatureProvided",
    "AWSAccessKeyId",
    "AuthenticationErrorDetail",
    "Token-0",
];

/// Endings of names whose value is a secret, in lower case without `-` and `_`.
const SECRET_NAMES: &[&str] = &[
    "signature",
    "credential",
    "token",
    "secret",
    "password",
    "accesskey",
    "accesskeyid",
    "accountkey",
    "apikey",
    "privatekey",
    "encryptionkey",
    "customerkey",
    "saskey",
    "cookie",
    "authorization",
];

/// Returns the text without secrets.
#[must_use]
pub fn redact(text: &str) -> String {
    without_named_values(&without_url_secrets(&without_elements(text)))
}

/// Returns the text without secrets on one line: each run of white space becomes one blank.
#[must_use]
pub fn redact_line(text: &str) -> String {
    redact(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a URI without user, password, query and fragment, fit to be stored. Unlike [`redact`] it
/// leaves no mark. Local paths stay as they are.
#[must_use]
pub fn without_credentials(uri: &str) -> String {
    if uri.starts_with('/') || uri.starts_with("file:") {
        return uri.to_owned();
    }
    let uri = &uri[..uri.find(['?', '#']).unwrap_or(uri.len())];
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", without_user(scheme, authority).unwrap_or(authority))
}

/// Returns the host of an authority with a user, or `None` when there is no user. The container of
/// Azure's `container@account` is not a user, unless it has a password.
fn without_user<'a>(scheme: &str, authority: &'a str) -> Option<&'a str> {
    let (user, host) = authority.rsplit_once('@')?;
    (user.contains(':') || !scheme.starts_with("ab")).then_some(host)
}

/// Empties the XML elements that repeat what was signed. One that is not closed is cut to the end.
fn without_elements(text: &str) -> String {
    let mut text = text.to_owned();
    for name in SECRET_ELEMENTS {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut from = 0;
        while let Some(at) = text[from..].find(&open) {
            let start = from + at + open.len();
            let end = text[start..].find(&close).map_or(text.len(), |at| start + at);
            text.replace_range(start..end, REMOVED);
            from = start + REMOVED.len();
        }
    }
    text
}

/// Removes users and queries of URLs.
fn without_url_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = before[..at].rsplit(|c: char| !letters(c)).next().unwrap_or_default();
        let end = after.find(ends_url).unwrap_or(after.len());
        let (authority, path) =
            after[..end].split_at(after[..end].find(['/', '?', '#']).unwrap_or(end));
        match without_user(scheme, authority) {
            Some(host) => clean.push_str(&format!("{REMOVED}@{host}")),
            None => clean.push_str(authority),
        }
        match path.split_once('?') {
            Some((path, _)) => clean.push_str(&format!("{path}?{REMOVED}")),
            None => clean.push_str(path),
        }
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | ',' | ';' | '<' | '>')
}

/// Removes the values after names of secrets, and the words that are tokens by their form.
fn without_named_values(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        clean.push_str(&rest[..start]);
        rest = &rest[start..];
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        rest = &rest[name.len()..];
        if is_token(name) {
            clean.push_str(REMOVED);
            continue;
        }
        clean.push_str(name);
        let Some((gap, value)) = secret_value(name, rest) else { continue };
        clean.push_str(&rest[..gap]);
        clean.push_str(REMOVED);
        rest = &rest[gap + value..];
    }
    clean.push_str(rest);
    clean
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Returns the length of the separator after `name` and of the secret value behind it.
fn secret_value(name: &str, after: &str) -> Option<(usize, usize)> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let is_scheme = matches!(plain.as_str(), "bearer" | "sharedkey");
    let is_secret = plain == "sig" || SECRET_NAMES.iter().any(|ending| plain.ends_with(ending));
    let value = after.trim_start_matches(['"', '\'', ' ', '=', ':']);
    let gap = after.len() - value.len();
    let separator = &after[..gap];
    let is_whole_line = plain == "authorization" || plain.ends_with("cookie");
    let is_header = plain.starts_with('x') || is_whole_line;
    let has_value = if is_scheme {
        separator == " " && value.chars().take_while(|c| !c.is_whitespace()).count() >= 16
    } else {
        // A colon and a blank follow a name in prose, too: they count for headers only.
        let is_json = separator.starts_with(['"', '\'']) && separator.contains(':');
        is_secret
            && (separator.contains('=')
                || is_json
                || separator == ":"
                || (separator.contains(':') && is_header))
    };
    if !has_value {
        return None;
    }
    let ends = |c: char| match is_whole_line {
        true => matches!(c, '\n' | '\r' | '"' | '<'),
        false => ends_url(c) || matches!(c, '&' | '}'),
    };
    let length = value.find(ends).unwrap_or(value.len());
    (length > 0 && !value.starts_with(REMOVED)).then_some((gap, length))
}

/// Returns true for an access key of AWS and for the first part of a JSON web token.
fn is_token(word: &str) -> bool {
    let is_key = word.len() == 20
        && (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    is_key || (word.len() > 20 && word.starts_with("eyJ"))
}

#[cfg(test)]
mod tests;

//! `access.toml`: the principals, their roles and scopes, and what they show.

use std::path::Path;

use deepclone_core::access::{AccessPlace, Principal, Reach, Role, Scope};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use serde::Deserialize;
use toml::value::Datetime;

use super::jwt::{ClaimMatch, OidcSettings, OpenKeys, TokenIssuer};
use super::policy::{AccessPolicy, KnownBy, KnownToken};
use super::token::digest_of_hex;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessFile {
    oidc: Option<OidcSettings>,
    #[serde(default)]
    principals: Vec<PrincipalSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalSettings {
    name: String,
    role: String,
    read_from: Option<Vec<String>>,
    write_to: Option<Vec<String>>,
    #[serde(default)]
    tokens: Vec<TokenSettings>,
    #[serde(default)]
    certificates: Vec<String>,
    jwt: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSettings {
    sha256: String,
    expires: Option<Datetime>,
}

/// Reads who may ask from the file. Keys of JWTs that are open stay so.
pub(super) fn read(file: &Path, open: &OpenKeys) -> Result<AccessPolicy, Failure> {
    let failed = |what: String| {
        let message = format!("access.file {}: {what}", file.display());
        Failure::new(Reason::InvalidArgument, message)
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| failed(format!("it cannot be read: {error}")))?;
    parse(&text, open).map_err(failed)
}

/// Parses the text of the file. No error shows a digest.
fn parse(text: &str, open: &OpenKeys) -> Result<AccessPolicy, String> {
    let file: AccessFile = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: {}", error.message())
    })?;
    if file.principals.is_empty() {
        return Err("it names nobody: write [[principals]]".to_owned());
    }
    let mut policy = AccessPolicy::default();
    let mut names = Vec::new();
    for settings in file.principals {
        let name = settings.name.clone();
        let is_name = |name: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
            !name.is_empty() && name.len() <= 64 && name.chars().all(is_part)
        };
        if !is_name(&name) {
            let what = "write 1 to 64 letters, digits, -, _, . or @";
            return Err(format!("principal {name:?}: a name is malformed: {what}"));
        }
        if names.contains(&name) {
            return Err(format!("principal {name:?} is there twice"));
        }
        names.push(name.clone());
        add(&mut policy, settings).map_err(|what| format!("principal {name:?}: {what}"))?;
    }
    if file.oidc.is_none() && policy.has_claims() {
        return Err("jwt: whose JWTs count is not said: write [oidc]".to_owned());
    }
    // Last: no source of keys is opened for a file with a mistake.
    match file.oidc {
        None => open.close(),
        Some(settings) => {
            let issuer = TokenIssuer::new(settings, open);
            policy.issuer = Some(issuer.map_err(|what| format!("[oidc]: {what}"))?);
        }
    }
    Ok(policy)
}

fn add(policy: &mut AccessPolicy, settings: PrincipalSettings) -> Result<(), String> {
    let role: Role = settings.role.parse().map_err(|error| format!("{error}"))?;
    let scope = Scope {
        read_from: reach("read_from", settings.read_from)?,
        write_to: reach("write_to", settings.write_to)?,
    };
    let claims = settings.jwt.as_ref().map(ClaimMatch::parse).transpose()?.unwrap_or_default();
    if settings.tokens.is_empty() && settings.certificates.is_empty() && claims.is_empty() {
        let what = "nothing tells who it is: write tokens = [{ sha256 = \"…\" }], certificates \
                    or jwt";
        return Err(what.to_owned());
    }
    if settings.certificates.iter().any(String::is_empty) {
        return Err("certificates: a name is empty".to_owned());
    }
    let tokens = settings.tokens.iter().map(token).collect::<Result<_, _>>()?;
    let principal = Principal { name: settings.name, role, scope };
    let by = KnownBy { tokens, certificates: settings.certificates, claims };
    policy
        .add(principal, by)
        .map_err(|what| format!("{what}: one of them is another principal's, or there twice"))
}

fn reach(key: &str, places: Option<Vec<String>>) -> Result<Reach, String> {
    let Some(places) = places else { return Ok(Reach::Everywhere) };
    let places = places.iter().map(|place| place.parse::<AccessPlace>());
    places.collect::<Result<_, _>>().map(Reach::Places).map_err(|error| format!("{key}: {error}"))
}

fn token(settings: &TokenSettings) -> Result<KnownToken, String> {
    let Some(digest) = digest_of_hex(&settings.sha256) else {
        let what = "tokens: sha256 is no digest: `deepclone token` makes a token and its digest";
        return Err(what.to_owned());
    };
    let expires = settings.expires.as_ref().map(|time| {
        let parsed = chrono::DateTime::parse_from_rfc3339(&time.to_string());
        let what = "tokens: expires: write a time with its zone, such as 2027-01-31T00:00:00Z";
        parsed.map(|time| UnixTime(time.timestamp_millis())).map_err(|_| what.to_owned())
    });
    Ok(KnownToken { digest, expires: expires.transpose()? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deepclone_core::access::Permission;

    use super::super::credential::Credential;
    use super::super::policy::UnknownCaller;
    use super::super::token::new_token;
    use super::*;
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime(1_796_000_000_000);

    fn shown(token: &str) -> Credential {
        Credential::Token(Secret::new(token))
    }

    #[test]
    fn a_file_tells_who_shows_a_token_or_a_certificate() {
        let (old, new, other) = (new_token(), new_token(), new_token());
        let text = format!(
            r#"
            [[principals]]
            name = "airflow"
            role = "submitter"
            read_from = ["lake/sales"]
            write_to = []
            tokens = [
                {{ sha256 = "{}", expires = 2026-12-01T00:00:00Z }},
                {{ sha256 = "{}" }},
            ]
            [[principals]]
            name = "fleet"
            role = "worker"
            certificates = ["Worker.example", "spiffe://example/Worker"]
            "#,
            old.sha256, new.sha256
        );
        let policy = parse(&text, &OpenKeys::default()).unwrap();
        let expires = UnixTime(1_796_083_200_000);
        let who = |token: &str, now| policy.who(&shown(token), now).map(|who| who.name.clone());
        let (old, new) = (old.token.expose(), new.token.expose());
        for (token, now, expected) in [
            (old, NOW, Ok("airflow".to_owned())),
            (old, UnixTime(expires.0 - 1), Ok("airflow".to_owned())),
            (old, expires, Err(UnknownCaller::Expired)),
            (new, expires, Ok("airflow".to_owned())),
            (other.token.expose(), NOW, Err(UnknownCaller::Nobody)),
            ("", NOW, Err(UnknownCaller::Nobody)),
        ] {
            assert_eq!(who(token, now), expected, "{now:?}");
        }
        let airflow = policy.who(&shown(new), NOW).unwrap();
        assert_eq!(airflow.role, Role::Submitter);
        assert!(airflow.allow_read("lake", "sales/orders").is_ok());
        assert!(airflow.allow_write("lake", "sales/orders").is_err());
        let certificate = |names: &[&str]| {
            let names: Arc<[String]> = names.iter().map(ToString::to_string).collect();
            policy.who(&Credential::Certificate(names), NOW).map(|who| who.name.clone())
        };
        for (names, expected) in [
            (&["other", "worker.example"][..], Ok("fleet".to_owned())),
            (&["spiffe://example/Worker"], Ok("fleet".to_owned())),
            (&["spiffe://example/worker"], Err(UnknownCaller::Nobody)),
            (&["example"], Err(UnknownCaller::Nobody)),
        ] {
            assert_eq!(certificate(names), expected, "{names:?}");
        }
        assert_eq!(policy.who(&Credential::None, NOW), Err(UnknownCaller::NoCredential));
        assert_eq!(policy.who(&Credential::Malformed, NOW), Err(UnknownCaller::Nobody));
        let fleet = certificate(&["worker.example"]).unwrap();
        assert_eq!(fleet, "fleet");
        assert!(airflow.allow(Permission::Work).is_err());
    }

    #[test]
    fn a_mistake_is_named_with_its_principal_and_shows_no_digest() {
        let sha256 = new_token().sha256;
        let known = format!("tokens = [{{ sha256 = \"{sha256}\" }}]");
        let one = |rest: &str| format!("[[principals]]\nname = \"a\"\nrole = \"viewer\"\n{rest}");
        for (text, part) in [
            (String::new(), "names nobody"),
            ("[[principals]]\nname = \"a\"".to_owned(), "role"),
            (one(""), "nothing tells who it is"),
            (one("tokens = [{ sha256 = \"abc\" }]"), "no digest"),
            (one(&format!("{known}\nreads = []")), "reads"),
            (one(&format!("{known}\nread_from = [\"/a\"]")), "read_from: \"/a\" is no place"),
            (one(&known.replace(" }", ", expires = 2026-12-01 }")), "with its zone"),
            (one("certificates = [\"\"]"), "a name is empty"),
            (one(&known).replace("viewer", "admin"), "\"admin\" is no role"),
            (one(&known).replace("\"a\"", "\"a b\""), "a name is malformed"),
            ([one(&known), one("certificates = [\"x\"]")].join("\n"), "is there twice"),
            ([one(&known), one(&known).replace("\"a\"", "\"b\"")].join("\n"), "another principal"),
        ] {
            let what = parse(&text, &OpenKeys::default()).map(|_| ()).unwrap_err();
            assert!(what.contains(part), "{text}: {what}");
            assert!(!what.contains(&sha256) && !what.contains('\n'), "{what}");
        }
    }
}

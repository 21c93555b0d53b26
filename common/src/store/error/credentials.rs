//! What it means that a provider of identities gave no credentials. Its answers say nothing of the
//! store: its 404 is no missing object.

use object_store::Error;

use super::{
    StoreError, StoreErrorKind, innermost_text, judged, kind_of, message_of, one_line, status_in,
};

impl StoreError {
    /// Converts the error of a client that asked a provider for credentials.
    #[must_use]
    pub fn of_credentials(error: &Error) -> Self {
        let text = innermost_text(error);
        let judged = judged(error);
        let kind = judged.map_or_else(|| kind_of(error, &text), |judged| judged.kind);
        let kind = if kind.is_retryable() { kind } else { StoreErrorKind::Denied };
        let said = match judged {
            Some(judged) => judged.message.clone(),
            None => said(&text).unwrap_or_else(|| message_of(StoreErrorKind::Other, &text)),
        };
        let pause = judged.and_then(|judged| judged.pause);
        Self {
            kind,
            message: format!("no credentials from the provider of identities: {said}"),
            pause,
        }
    }
}

/// Returns the status, the code and the reason of an answer in the words of OAuth 2.0 (RFC 6749,
/// section 5.2); `None` for any other.
fn said(text: &str) -> Option<String> {
    let body = text.get(text.find('{')?..)?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let word = |key: &str| body.get(key).and_then(serde_json::Value::as_str);
    let reason = word("error_description").and_then(|reason| reason.lines().next());
    let parts = [
        Some(format!("status {}", status_in(text)?)),
        Some(one_line(word("error")?)),
        reason.map(one_line),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> StoreError {
        let source = text.to_owned().into();
        StoreError::of_credentials(&Error::Generic { store: "GCS", source })
    }

    #[test]
    fn no_answer_of_a_provider_says_that_an_object_is_missing() {
        use StoreErrorKind as Kind;
        for (text, kind, told) in [
            ("status code: 404 Not Found: x", Kind::Denied, "status 404"),
            ("status code: 400 Bad Request: <Code>Bad</Code>", Kind::Denied, "status 400: Bad"),
            ("status code: 501 Not Implemented: ", Kind::Denied, "status 501"),
            ("status code: 503 Busy: ", Kind::Throttled, "status 503"),
            ("status code: 500 Error: ", Kind::Transient, "status 500"),
            (
                "status code: 401 Unauthorized: {\"error\":\"invalid_client\",\
                 \"error_description\":\"AADSTS7000215: no\\r\\nTrace ID: 1\"}",
                Kind::Denied,
                "status 401: invalid_client: AADSTS7000215: no",
            ),
            ("Failed to read token file '/run/token': gone", Kind::Denied, "/run/token"),
        ] {
            let error = refused(text);
            assert_eq!(error.kind, kind, "{text}");
            let start = "no credentials from the provider of identities: ";
            let said = error.message.strip_prefix(start).unwrap();
            assert!(said.ends_with(told) || said.contains("/run/token"), "{said}");
        }
    }
}

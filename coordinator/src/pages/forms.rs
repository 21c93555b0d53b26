//! Forms that act, and what they send.

use axum::extract::Query;
use axum::http::Uri;
use maud::{Markup, html};

/// A button that acts at an address.
pub(super) fn act_button(token: &str, address: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(address) { (hidden(token)) button { (label) } }
    }
}

/// The token of a form.
pub(super) fn hidden(token: &str) -> Markup {
    html! { input type="hidden" name="token" value=(token); }
}

/// The fields of a form that was posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageForm(Vec<(String, String)>);

impl PageForm {
    /// Reads the body of a request, which is written as the query of an address is.
    pub(super) fn read(body: &str) -> Self {
        let uri: Result<Uri, _> = format!("/?{}", body.trim()).parse();
        let fields = uri.ok().and_then(|uri| Query::try_from_uri(&uri).ok());
        fields.map_or_else(Self::default, |Query(fields)| Self(fields))
    }

    /// The first value of a field; empty when there is none.
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        for (body, name, value) in [
            ("token=abc&until=2026-11-26T18%3A00", "until", "2026-11-26T18:00"),
            ("token=a+b%26c&token=x", "token", "a b&c"),
            ("token=abc", "until", ""),
            ("", "token", ""),
            ("{\"token\": 1}", "token", ""),
            ("token", "token", ""),
        ] {
            assert_eq!(PageForm::read(body).value(name), value, "{body}");
        }
    }
}

//! Parts of a long list, each a page of its own.

use axum::http::Uri;
use maud::{Markup, html};

use super::replication::lag::LagSpan;
use super::words::grouped;

/// Rows on a page.
pub(super) const ROWS_MAX: usize = 200;

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageQuery {
    /// What is searched for; empty for all.
    pub(super) text: String,
    /// Only this group; `None` for all.
    pub(super) group: Option<String>,
    /// Which part of the list, the first one being 1.
    pub(super) page: usize,
    /// How much time is shown of what changed with it.
    pub(super) lag_span: LagSpan,
}

/// One part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListPart {
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) of: usize,
    page: usize,
}

impl PageQuery {
    /// Reads `q`, `group`, `page` and `lag`; what is not known or has no sense counts as absent.
    pub(super) fn read(uri: &Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let mut query = Self { page: 1, ..Self::default() };
        for (name, value) in pairs.map(|pairs| pairs.0).unwrap_or_default() {
            match name.as_str() {
                "q" => query.text = value.trim().to_owned(),
                "group" => query.group = Some(value).filter(|group| !group.is_empty()),
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                "lag" => query.lag_span = LagSpan::read(&value),
                _ => {}
            }
        }
        query
    }

    /// Whether one of these texts has what is searched for, whatever the case.
    pub(super) fn finds<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let sought = self.text.to_lowercase();
        sought.is_empty() || texts.into_iter().any(|text| text.to_lowercase().contains(&sought))
    }

    /// Returns the part of a list that is asked for; the last one when there are fewer.
    pub(super) fn part(&self, of: usize) -> ListPart {
        let page = self.page.clamp(1, of.div_ceil(ROWS_MAX).max(1));
        let first = (page - 1) * ROWS_MAX;
        ListPart { first, end: (first + ROWS_MAX).min(of), of, page }
    }

    /// A form that searches at an address; at the same one when that is empty.
    pub(super) fn search_form(&self, address: &str, label: &str) -> Markup {
        let address = Some(address).filter(|address| !address.is_empty());
        html! {
            form.search role="search" method="get" action=[address] {
                @if let Some(group) = &self.group {
                    input type="hidden" name="group" value=(group);
                }
                label for="q" { (label) }
                input id="q" name="q" type="search" value=(self.text) autocomplete="off";
                button { "Search" }
            }
        }
    }

    fn address(&self, page: usize) -> String {
        let mut address = format!("?page={page}");
        let encoded = |text: &str| -> String { text.bytes().map(encoded_byte).collect() };
        if !self.text.is_empty() {
            address += &format!("&q={}", encoded(&self.text));
        }
        if let Some(group) = &self.group {
            address += &format!("&group={}", encoded(group));
        }
        address
    }
}

/// Returns a byte of a text as it stands in the query of an address.
fn encoded_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Returns the address of a group's part of the first page.
pub(super) fn group_address(group: &str) -> String {
    let group: String = group.bytes().map(encoded_byte).collect();
    format!("/?group={group}")
}

impl ListPart {
    /// The places of its rows in the list.
    pub(super) fn rows(&self) -> std::ops::Range<usize> {
        self.first..self.end
    }

    /// Links to the parts before and after; nothing when this is all.
    pub(super) fn links(&self, query: &PageQuery, what: &str) -> Markup {
        if self.of <= ROWS_MAX {
            return html! {};
        }
        let place = format!(
            "{} to {} of {}",
            grouped(self.first as u64 + 1),
            grouped(self.end as u64),
            grouped(self.of as u64)
        );
        html! {
            nav.pager aria-label={ "Pages of " (what) } {
                @if self.page > 1 {
                    a rel="prev" href=(query.address(self.page - 1)) { "← Previous" }
                }
                span { (place) }
                @if self.end < self.of {
                    a rel="next" href=(query.address(self.page + 1)) { "Next →" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> PageQuery {
        PageQuery::read(&address.parse().unwrap())
    }

    fn query(text: &str, group: Option<&str>, page: usize) -> PageQuery {
        PageQuery { text: text.into(), group: group.map(Into::into), page, ..Default::default() }
    }

    #[test]
    fn an_address_is_read_and_written() {
        for (address, expected) in [
            ("/", query("", None, 1)),
            ("/?q=a%20b%26+c&page=3&x=1", query("a b& c", None, 3)),
            ("/?page=0", query("", None, 1)),
            ("/?page=-1&q=%ff", query("\u{fffd}", None, 1)),
            ("/?group=shop&page=x", query("", Some("shop"), 1)),
            ("/?group=", query("", None, 1)),
        ] {
            assert_eq!(read(address), expected, "{address}");
            let again = read(&format!("/{}", expected.address(expected.page)));
            assert_eq!(again, expected, "{address}");
        }
        assert_eq!(group_address("a b/ü"), "/?group=a%20b%2F%C3%BC");
    }

    #[test]
    fn a_list_has_parts_of_two_hundred() {
        for (page, of, rows) in [
            (1, 0, 0..0),
            (1, 200, 0..200),
            (9, 200, 0..200),
            (1, 201, 0..200),
            (2, 201, 200..201),
            (usize::MAX, 1000, 800..1000),
        ] {
            assert_eq!(query("", None, page).part(of).rows(), rows, "{page} {of}");
        }
    }

    #[test]
    fn what_is_searched_for_is_a_part_of_a_text_in_any_case() {
        let query = query("ORD", None, 1);
        assert!(query.finds(["x", "my-orders"]));
        assert!(!query.finds(["x"]) && !query.finds([]));
        assert!(read("/").finds([]));
    }
}

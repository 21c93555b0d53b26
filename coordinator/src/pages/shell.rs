//! What all pages share: the head, the way to the other pages, the end.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::clock::PageClock;

/// The style sheet of all pages.
pub(super) const STYLE: &str = include_str!("style.css");
/// The picture that browsers show beside the title.
pub(super) const ICON: &str = include_str!("icon.svg");

/// The address of the style sheet. It changes with the content, so browsers may keep it.
static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(STYLE);
    format!("/style.css?v={:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
});

/// Returns a whole document around what is special to a page.
pub(super) fn document(title: &str, clock: Option<&PageClock>, main: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Deepclone" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(*STYLE_ADDRESS);
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    nav aria-label="Pages" {
                        a.brand href="/" { "Deepclone" }
                        a href="/" { "Replications" }
                    }
                    @if let Some(clock) = clock {
                        p.as-of { "as of " (clock.time(clock.now())) }
                    }
                }
                main id="main" tabindex="-1" { (main) }
                footer {
                    @if let Some(clock) = clock {
                        p { "Times are of " (clock.zone()) " unless another zone stands beside \
                             them. Point at a time to see it in UTC." }
                    }
                    p { "Deepclone " (env!("CARGO_PKG_VERSION")) " · "
                        a href="/metrics" { "metrics" } }
                }
            }
        }
    };
    document.into_string()
}

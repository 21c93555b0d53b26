//! What all pages share: the head, the way to the other pages, the end.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::clock::PageClock;
use super::words::Visible;

/// The style sheet of all pages.
pub(super) const STYLE: &str = include_str!("style.css");
/// The picture that browsers show beside the title.
pub(super) const ICON: &str = include_str!("icon.svg");

/// The script of pages whose figures change. They can be read without it.
pub(super) const LIVE: &str = include_str!("live.js");

/// The address of the style sheet.
static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| address("style.css", STYLE));
/// The address of the script.
pub(super) static LIVE_ADDRESS: LazyLock<String> = LazyLock::new(|| address("live.js", LIVE));

/// An address that changes with the content, so that browsers may keep it.
fn address(name: &str, content: &str) -> String {
    let digest = Sha256::digest(content);
    format!("/{name}?v={:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

/// What a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageTab {
    Replications,
    Jobs,
    Workers,
    Money,
    /// It says why there is no page.
    Nothing,
}

/// The way to all pages.
const TABS: [(PageTab, &str, &str); 4] = [
    (PageTab::Replications, "/", "Replications"),
    (PageTab::Jobs, "/jobs", "Jobs"),
    (PageTab::Workers, "/workers", "Workers"),
    (PageTab::Money, "/money", "Money"),
];

/// Returns a whole document around what is special to a page.
pub(super) fn document(
    title: &str,
    tab: PageTab,
    clock: Option<&PageClock>,
    main: &Markup,
) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Visible(title)) " · Deepclone" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(*STYLE_ADDRESS);
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    nav aria-label="Pages" {
                        a.brand href="/" { "Deepclone" }
                        @for (own, address, name) in TABS {
                            @let current = (own == tab).then_some("true");
                            a href=(address) aria-current=[current] { (name) }
                        }
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

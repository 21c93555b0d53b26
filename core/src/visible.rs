//! Text from outside, made safe for a terminal, a log line and a page: the only place that does.
//!
//! Names, paths and messages come from tables, stores, workers and clients. What a reader cannot
//! see could move the cursor, end a line, or show text in another order than it has, so each such
//! character is written as an escape: what is read is what is there.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What ends a text that was cut.
const ELLIPSIS: &str = "…";

/// Writes characters that cannot be seen, or that hide others, as `\u{202e}`. A text without them
/// stays as it is; a second call changes nothing.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |shown, c| shown.extend(c.escape_unicode()))
}

/// Like [`visible`], for a sentence: line ends and tabs become a blank.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    replaced(text, |shown, c| match c {
        '\n' | '\r' | '\t' => shown.push(' '),
        c => shown.extend(c.escape_unicode()),
    })
}

/// Like [`visible`], for a JSON text, whose meaning stays the same: only its strings can hold such
/// characters, and JSON has an escape of its own for them.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    replaced(json, |shown, c| {
        // Line ends between values are part of the form.
        if matches!(c, '\n' | '\r' | '\t') {
            return shown.push(c);
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _written = write!(shown, "\\u{unit:04x}");
        }
    })
}

/// Cuts `text` to `bytes_max` bytes, the mark of the cut included.
#[must_use]
pub fn cut(text: Cow<'_, str>, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text;
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub(ELLIPSIS.len()));
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

fn replaced(text: &str, mut write: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            write(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns true for control characters, for those that change the direction or the lines of a text,
/// and for those that take no room.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    let is_invisible = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    c.is_control() || is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for (text, name, line, json) in [
            ("sales/orders", "sales/orders", "sales/orders", "sales/orders"),
            ("Übung 表 🙂", "Übung 表 🙂", "Übung 表 🙂", "Übung 表 🙂"),
            ("a\u{202e}gpj.b", "a\\u{202e}gpj.b", "a\\u{202e}gpj.b", "a\\u202egpj.b"),
            ("a\nb\u{85}", "a\\u{a}b\\u{85}", "a b\\u{85}", "a\nb\\u0085"),
            ("\u{1b}[2J\u{9b}", "\\u{1b}[2J\\u{9b}", "\\u{1b}[2J\\u{9b}", "\\u001b[2J\\u009b"),
            ("\u{200b}\u{2066}", "\\u{200b}\\u{2066}", "\\u{200b}\\u{2066}", "\\u200b\\u2066"),
            ("\u{e0041}", "\\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"),
            ("\u{2028}\r\0", "\\u{2028}\\u{d}\\u{0}", "\\u{2028} \\u{0}", "\\u2028\r\\u0000"),
        ] {
            assert_eq!(visible(text), name, "{text:?}");
            assert_eq!(one_line(text), line, "{text:?}");
            assert_eq!(visible_json(text), json, "{text:?}");
            for shown in [visible(text), one_line(text)] {
                assert_eq!(visible(&shown), shown, "a second call changes nothing");
            }
        }
    }

    #[test]
    fn no_character_that_hides_is_left() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            for shown in [visible(&text), one_line(&text)] {
                assert!(!shown.contains(is_hidden), "{c:?}");
                assert!(is_hidden(c) || shown == text, "{c:?}");
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (text, most, expect) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc…"),
            ("ééé", 5, "é…"),
            ("ééé", 6, "ééé"),
            ("abcdefg", 3, "…"),
        ] {
            assert_eq!(cut(Cow::Borrowed(text), most), expect, "{text} {most}");
        }
    }
}

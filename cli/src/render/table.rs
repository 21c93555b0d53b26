//! Plain tables: columns of spaces, no frames, nothing that cannot be seen.

use deepclone_core::visible::visible;

/// Writes labels and values, one pair on a line.
#[must_use]
pub fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|(label, value)| format!("  {label:<width$}  {}", visible(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes rows below their headings. A heading with a leading `>` aligns its column to the right.
#[must_use]
pub fn grid<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let right = headings.map(|heading| heading.starts_with('>'));
    let headings = headings.map(|heading| heading.trim_start_matches('>').to_owned());
    let rows: Vec<[String; N]> = std::iter::once(headings)
        .chain(rows.iter().map(|row| row.each_ref().map(|c| visible(c).into_owned())))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).zip(right).map(|((cell, width), right)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_grids_line_up() {
        let text = pairs(&[("files", "12".to_owned()), ("job", "a\u{1b}[2Jb".to_owned())]);
        assert_eq!(text, "  files  12\n  job    a\\u{1b}[2Jb");
        let rows = [["1".to_owned(), "über".to_owned()], ["10".to_owned(), String::new()]];
        assert_eq!(grid([">version", "name"], &rows), "version  name\n      1  über\n     10");
        assert_eq!(grid(["a", "b"], &[]), "a  b");
    }
}

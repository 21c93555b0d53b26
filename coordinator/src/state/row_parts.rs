//! Many rows in few statements: each statement wakes the thread of the database once.

/// Rows of one statement at the most.
const ROWS_MAX: usize = 64;

/// Cuts rows into parts for one statement each. Their lengths are powers of two: these are so few
/// that a statement of each length stays prepared.
pub(super) fn row_parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rows.len().min(ROWS_MAX).checked_ilog2()?;
        let (part, rest) = rows.split_at(length);
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_powers_of_two_and_leave_nothing_out() {
        let lengths = |count: u8| -> Vec<usize> {
            let rows: Vec<u8> = (0..count).collect();
            assert_eq!(row_parts(&rows).collect::<Vec<_>>().concat(), rows);
            row_parts(&rows).map(<[u8]>::len).collect()
        };
        assert!(lengths(0).is_empty());
        assert_eq!(lengths(1), [1]);
        assert_eq!(lengths(7), [4, 2, 1]);
        assert_eq!(lengths(200), [64, 64, 64, 8]);
    }
}

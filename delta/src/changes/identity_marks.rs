//! High-water marks of identity columns: the last number that a table assigned, in the metadata of
//! the column.
//!
//! A number that the replica assigned to rows of another writer must not be assigned again, so its
//! schema gets the further mark of both sides. Spark merges the two in the same way when it clones
//! over a table.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#identity-columns>

use std::ops::Range;

use serde_json::value::RawValue;

use crate::schema::{self, Field};

const MARK: &str = "delta.identity.highWaterMark";
const STEP: &str = "delta.identity.step";

/// Returns the source's schema with the replica's marks where those are further, and all else
/// unchanged.
pub(crate) fn further(source: &str, replica: &str) -> String {
    let unchanged = || source.to_owned();
    let (Ok(columns), Ok(known)) = (schema::columns(source), schema::columns(replica)) else {
        return unchanged();
    };
    let mut changes: Vec<(Range<usize>, String)> = columns
        .iter()
        .filter_map(|column| {
            let known = known.iter().find(|known| known.name == column.name)?;
            change(source, column, number(known.annotation(MARK)?)?)
        })
        .collect();
    changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut schema = unchanged();
    for (place, text) in changes {
        schema.replace_range(place, &text);
    }
    schema
}

/// Returns the place and text of the edit that makes the column's mark `known`, if that is further.
fn change(source: &str, column: &Field<'_>, known: i64) -> Option<(Range<usize>, String)> {
    let step_text = column.annotation(STEP)?;
    let step = number(step_text)?;
    match column.annotation(MARK) {
        Some(mark) => {
            let own = number(mark)?;
            let is_further = if step < 0 { known < own } else { known > own };
            is_further.then_some((place(source, mark)?, known.to_string()))
        }
        None => {
            let end = place(source, step_text)?.end;
            Some((end..end, format!(",\"{MARK}\":{known}")))
        }
    }
}

fn number(raw: &RawValue) -> Option<i64> {
    serde_json::from_str(raw.get()).ok()
}

/// Returns the range of a piece of `whole`.
fn place(whole: &str, piece: &RawValue) -> Option<Range<usize>> {
    let piece = piece.get();
    let start = piece.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let place = start..start + piece.len();
    (whole.get(place.clone()) == Some(piece)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: &[(&str, i64, Option<i64>)]) -> String {
        let column = |(name, step, mark): &(&str, i64, Option<i64>)| {
            let mark = mark.map(|mark| format!(",\"{MARK}\":{mark}")).unwrap_or_default();
            let metadata = format!("{{\"{STEP}\":{step}{mark}}}");
            format!(r#"{{"name":"{name}", "type":"long","metadata":{metadata}}}"#)
        };
        let columns: Vec<String> = columns.iter().map(column).collect();
        format!(r#"{{"type":"struct","fields":[{}]}}"#, columns.join(","))
    }

    #[test]
    fn the_further_mark_of_both_sides_stays() {
        for (step, source, replica, wanted) in [
            (1, Some(7), Some(9), Some(9)),
            (1, Some(9), Some(7), Some(9)),
            (-1, Some(-7), Some(-9), Some(-9)),
            (-1, Some(-9), Some(-7), Some(-9)),
            (5, None, Some(9), Some(9)),
            (5, Some(9), None, Some(9)),
            (5, None, None, None),
        ] {
            let of = |mark| schema(&[("a", step, Some(1)), ("id", step, mark), ("z", 1, None)]);
            assert_eq!(further(&of(source), &of(replica)), of(wanted), "{step} {source:?}");
        }
        // Another column, no schema, no identity column.
        let own = schema(&[("id", 1, Some(7))]);
        assert_eq!(further(&own, &schema(&[("other", 1, Some(9))])), own);
        assert_eq!(further(&own, "{}"), own);
        assert_eq!(further("{}", &own), "{}");
        let plain = own.replace(STEP, "step");
        assert_eq!(further(&plain, &schema(&[("id", 1, Some(9))])), plain);
        let several = schema(&[("a", 1, Some(1)), ("b", -1, None), ("c", 1, Some(5))]);
        let replica = schema(&[("c", 1, Some(50)), ("b", -1, Some(-20)), ("a", 1, Some(100))]);
        let wanted = schema(&[("a", 1, Some(100)), ("b", -1, Some(-20)), ("c", 1, Some(50))]);
        assert_eq!(further(&several, &replica), wanted);
    }
}

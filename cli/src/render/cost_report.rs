//! The answer of `deepclone cost`: as a table, as JSON and as rows with commas.

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use serde::Serialize;

use super::cost::{self, SentObject};
use super::{CommandOutput, table, units};
use crate::args::CostBy;
use crate::client::cost::{CostInfo, CostReport, CostRowInfo, RequestKinds};

/// What stands for jobs without an owner or a replication.
const NONE: &str = "-";
const CSV_FIGURES: &str = "bytes_read,source_requests,target_requests,cost,currency,price_table,\
                           source_lists,target_reads,target_lists";
const MICROS_PER_UNIT: u64 = 1_000_000;

#[derive(Debug, Serialize)]
struct Object<'a> {
    month: &'a str,
    by: &'static str,
    rows: Vec<RowObject<'a>>,
}

#[derive(Debug, Serialize)]
struct RowObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(flatten)]
    sent: Option<SentObject<'a>>,
    source_lists: i64,
    target_reads: i64,
    target_lists: i64,
}

/// Returns the answer.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(report: &CostReport, by: CostBy) -> Result<CommandOutput, Failure> {
    let object = Object {
        month: &report.month,
        by: word(by),
        rows: report.rows.iter().map(|row| row_object(row, by)).collect(),
    };
    let csv = Some(csv(report, by));
    Ok(CommandOutput { csv, ..CommandOutput::new(text(report, by), &object)? })
}

fn word(by: CostBy) -> &'static str {
    match by {
        CostBy::Owner => "owner",
        CostBy::Table => "table",
        CostBy::Pair => "pair",
        CostBy::Replication => "replication",
    }
}

/// The names that tell two rows apart, with what they are.
fn names(row: &CostRowInfo, by: CostBy) -> Vec<(&'static str, &str)> {
    match by {
        CostBy::Owner => vec![("owner", &row.owner)],
        CostBy::Table => vec![("source", &row.source), ("table", &row.table)],
        CostBy::Pair => vec![("source", &row.source), ("target", &row.target)],
        CostBy::Replication => vec![("replication", &row.replication)],
    }
}

fn row_object(row: &CostRowInfo, by: CostBy) -> RowObject<'_> {
    let names = names(row, by);
    let of = |key| names.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    RowObject {
        owner: of("owner"),
        replication: of("replication"),
        source: of("source"),
        target: of("target"),
        table: of("table"),
        sent: cost::sent_object(Some(&row.sent)),
        source_lists: row.kinds.source_lists,
        target_reads: row.kinds.target_reads,
        target_lists: row.kinds.target_lists,
    }
}

fn text(report: &CostReport, by: CostBy) -> String {
    if report.rows.is_empty() {
        return format!("nothing was sent in {}", report.month);
    }
    let heading = match by {
        CostBy::Owner => "OWNER",
        CostBy::Table => "TABLE",
        CostBy::Pair => "FROM, TO",
        CostBy::Replication => "REPLICATION",
    };
    let row = |row: &CostRowInfo| {
        let names = names(row, by);
        let shown = names.iter().map(|(_, name)| if name.is_empty() { NONE } else { name });
        let separator = if by == CostBy::Pair { " → " } else { ": " };
        let sent = &row.sent;
        [
            shown.collect::<Vec<_>>().join(separator),
            units::bytes(sent.bytes_read),
            sent.source_requests.to_string(),
            sent.target_requests.to_string(),
            cost::short(sent.cost.as_ref()),
        ]
    };
    let rows: Vec<_> = report.rows.iter().map(row).collect();
    let headings = [heading, ">READ", ">REQUESTS TO SOURCE", ">TO TARGET", ">COST"];
    let prices = report.rows.iter().find_map(|row| match row.sent.cost.as_ref()? {
        CostInfo::Known { price_table, .. } => Some(format!("\nest. by: {price_table}")),
        CostInfo::Unknown(_) => None,
    });
    format!(
        "{} (UTC)\n{}{}",
        report.month,
        table::grid(headings, &rows),
        prices.unwrap_or_default()
    )
}

fn csv(report: &CostReport, by: CostBy) -> String {
    let heads: &[&str] = match by {
        CostBy::Owner => &["owner"],
        CostBy::Table => &["source", "table"],
        CostBy::Pair => &["source", "target"],
        CostBy::Replication => &["replication"],
    };
    let mut lines = vec![format!("month,{},{CSV_FIGURES}", heads.join(","))];
    for row in &report.rows {
        let sent = &row.sent;
        let (cost, currency, price_table) = match &sent.cost {
            Some(CostInfo::Known { money, price_table }) => {
                let micros = money.micros.unsigned_abs();
                let sign = if money.micros < 0 { "-" } else { "" };
                let (units, rest) = (micros / MICROS_PER_UNIT, micros % MICROS_PER_UNIT);
                let cost = format!("{sign}{units}.{rest:06}");
                (cost, money.currency.code().to_owned(), price_table.clone())
            }
            Some(CostInfo::Unknown(_)) | None => Default::default(),
        };
        let mut cells = vec![report.month.clone()];
        cells.extend(names(row, by).into_iter().map(|(_, name)| name.to_owned()));
        let figures = [sent.bytes_read, sent.source_requests, sent.target_requests];
        cells.extend(figures.map(|figure| figure.to_string()));
        cells.extend([cost, currency, price_table]);
        let RequestKinds { source_lists, target_reads, target_lists } = row.kinds;
        let kinds = [source_lists, target_reads, target_lists];
        cells.extend(kinds.map(|figure| figure.to_string()));
        lines.push(cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

/// A cell as RFC 4180 writes it, on one line. One that a spreadsheet would take for a formula
/// begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '@', '\t', '\r']);
    let cell = visible(cell);
    let cell = if is_formula { format!("'{cell}") } else { cell.into_owned() };
    match cell.contains([',', '"']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cost::SentInfo;

    fn report(cost: Option<CostInfo>) -> CostReport {
        let sent = SentInfo { bytes_read: 2048, source_requests: 3, target_requests: 4, cost };
        let row = CostRowInfo {
            owner: "team-finance".to_owned(),
            replication: String::new(),
            source: "prod".to_owned(),
            target: "@target".to_owned(),
            table: "sales/a, \"b\"".to_owned(),
            sent,
            kinds: RequestKinds { source_lists: 1, target_reads: 2, target_lists: 0 },
        };
        CostReport { month: "2026-11".to_owned(), rows: vec![row] }
    }

    fn known() -> Option<CostInfo> {
        let money = "12.5 EUR".parse().unwrap();
        Some(CostInfo::Known { money, price_table: "ours".to_owned() })
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let answer = answer(&report(known()), CostBy::Owner).unwrap();
        let text = "\
2026-11 (UTC)
OWNER            READ  REQUESTS TO SOURCE  TO TARGET            COST
team-finance  2.0 KiB                   3          4  12.50 EUR est.
est. by: ours";
        assert_eq!(answer.text, text);
        let json = concat!(
            r#"{"month":"2026-11","by":"owner","rows":[{"owner":"team-finance","bytes_read":2048,"#,
            r#""source_requests":3,"target_requests":4,"#,
            r#""cost":{"micros":12500000,"currency":"EUR","price_table":"ours"},"#,
            r#""source_lists":1,"target_reads":2,"target_lists":0}]}"#,
        );
        assert_eq!(answer.json, json);
        let csv = "\
month,owner,bytes_read,source_requests,target_requests,cost,currency,price_table,source_lists,\
target_reads,target_lists
2026-11,team-finance,2048,3,4,12.500000,EUR,ours,1,2,0";
        assert_eq!(answer.csv.as_deref(), Some(csv));
    }

    #[test]
    fn names_are_quoted_and_what_is_not_known_is_empty() {
        let last = |by| csv(&report(None), by).lines().last().unwrap_or_default().to_owned();
        let figures = "2048,3,4,,,,1,2,0";
        let table = format!("2026-11,prod,\"sales/a, \"\"b\"\"\",{figures}");
        assert_eq!(last(CostBy::Table), table);
        assert_eq!(last(CostBy::Pair), format!("2026-11,prod,'@target,{figures}"));
        assert_eq!(last(CostBy::Replication), format!("2026-11,,{figures}"));
        let unknown = report(Some(CostInfo::Unknown("why".to_owned())));
        let shown = text(&unknown, CostBy::Replication);
        assert!(shown.contains("-  ") && shown.ends_with("not known"), "{shown}");
        let nothing = CostReport { month: "2026-11".to_owned(), rows: Vec::new() };
        assert_eq!(text(&nothing, CostBy::Owner), "nothing was sent in 2026-11");
    }
}

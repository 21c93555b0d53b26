//! Costs in answers: always estimates, with the name of their table of prices.

use serde::Serialize;

use super::units;
use crate::client::cost::{CostInfo, SentInfo};

/// The JSON object of a cost. Where it is not known there is none.
#[derive(Debug, Serialize)]
pub(super) struct CostObject<'a> {
    micros: i64,
    currency: String,
    price_table: &'a str,
}

/// The JSON object of what was sent.
#[derive(Debug, Serialize)]
pub(super) struct SentObject<'a> {
    bytes_read: i64,
    source_requests: i64,
    target_requests: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostObject<'a>>,
}

/// Returns the object of a cost that is known.
pub(super) fn object(cost: Option<&CostInfo>) -> Option<CostObject<'_>> {
    match cost? {
        CostInfo::Known { money, price_table } => {
            let currency = money.currency.code().to_owned();
            Some(CostObject { micros: money.micros, currency, price_table })
        }
        CostInfo::Unknown(_) => None,
    }
}

/// Returns the object of what was sent.
pub(super) fn sent_object(sent: Option<&SentInfo>) -> Option<SentObject<'_>> {
    sent.map(|sent| SentObject {
        bytes_read: sent.bytes_read,
        source_requests: sent.source_requests,
        target_requests: sent.target_requests,
        cost: object(sent.cost.as_ref()),
    })
}

/// Writes a cost as `1.20 USD est. (list prices of November 2026)`.
pub(super) fn text(cost: &CostInfo) -> String {
    match cost {
        CostInfo::Known { money, price_table } => format!("{money} est. ({price_table})"),
        CostInfo::Unknown(why) => format!("cost not known: {why}"),
    }
}

/// Writes a cost for a column of a table, as `1.20 USD est.`.
pub(super) fn short(cost: Option<&CostInfo>) -> String {
    match cost {
        Some(CostInfo::Known { money, .. }) => format!("{money} est."),
        Some(CostInfo::Unknown(_)) => "not known".to_owned(),
        None => String::new(),
    }
}

/// Writes what was sent as `1.0 MiB read, 3 requests to the source, 4 to the target`.
pub(super) fn sent(sent: &SentInfo) -> String {
    let bytes = units::bytes(sent.bytes_read);
    let requests = units::count(sent.source_requests, "request");
    format!("{bytes} read, {requests} to the source, {} to the target", sent.target_requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_an_estimate_with_its_table_or_says_why_not() {
        let known = CostInfo::Known {
            money: "1.2 USD".parse().unwrap(),
            price_table: "list prices of November 2026".to_owned(),
        };
        let why = "the region of connection lake is not known";
        let unknown = CostInfo::Unknown(why.to_owned());
        assert_eq!(text(&known), "1.20 USD est. (list prices of November 2026)");
        assert_eq!(text(&unknown), format!("cost not known: {why}"));
        assert_eq!(short(Some(&known)), "1.20 USD est.");
        assert_eq!((short(Some(&unknown)), short(None)), ("not known".to_owned(), String::new()));
        let sent = |cost| SentInfo { bytes_read: 1, source_requests: 2, target_requests: 3, cost };
        let json = |cost| serde_json::to_string(&sent_object(Some(&sent(cost)))).unwrap();
        let counts = r#""bytes_read":1,"source_requests":2,"target_requests":3"#;
        let cost = concat!(
            r#","cost":{"micros":1200000,"currency":"USD","#,
            r#""price_table":"list prices of November 2026"}"#,
        );
        assert_eq!(json(Some(known)), format!("{{{counts}{cost}}}"));
        assert_eq!(json(Some(unknown)), format!("{{{counts}}}"));
    }
}

//! Budgets of the month: numbers and a bar.

use deepclone_core::budget::{BudgetAmount, BudgetUnit, MonthUse};
use maud::{Markup, html};

use super::words::{bytes, percent};

/// An amount, such as `1.5 TiB` or `300.00 EUR`.
pub(super) fn amount(unit: BudgetUnit, count: u64) -> String {
    match unit.amount(count) {
        BudgetAmount::Bytes(count) => bytes(count),
        BudgetAmount::Money(money) => money.to_string(),
    }
}

/// Spent, reserved and the limit in one line: `212.00 + 9.00 of 300.00 EUR`.
pub(super) fn short(used: &MonthUse) -> String {
    let whole = |count| amount(used.unit, count);
    let limit = whole(used.limit);
    // Units that are the same are written once.
    let unit = limit.split_once(' ').map_or("", |(_, unit)| unit);
    let bare = |count| {
        let text = whole(count);
        let bare = text.strip_suffix(unit).map(|number| number.trim_end().to_owned());
        bare.filter(|_| !unit.is_empty()).unwrap_or(text)
    };
    let reserved =
        if used.reserved > 0 { format!(" + {}", bare(used.reserved)) } else { String::new() };
    format!("{}{reserved} of {limit}", bare(used.spent))
}

/// A bar of what is spent and reserved. It says the same as the numbers beside it, so readers of
/// the screen pass over it.
pub(super) fn bar(used: &MonthUse) -> Markup {
    let spent = percent(used.spent, used.limit);
    let both = percent(used.spent.saturating_add(used.reserved), used.limit);
    let level = if used.warn_level(&[100]).is_some() {
        "spent full"
    } else if used.warn_level(&[80]).is_some() {
        "spent near"
    } else {
        "spent"
    };
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.all width="100" height="6" {}
            rect.reserved width=(both) height="6" {}
            rect class=(level) width=(spent) height="6" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::calendar::zone::Month;
    use deepclone_core::money::Currency;

    use super::*;

    #[test]
    fn a_budget_is_one_line() {
        let money = BudgetUnit::Money(Currency::EUR);
        let euro = 1_000_000;
        for (unit, spent, reserved, limit, line) in [
            (money, 212 * euro, 9 * euro, 300 * euro, "212.00 + 9.00 of 300.00 EUR"),
            (money, 0, 0, 300 * euro, "0.00 of 300.00 EUR"),
            (BudgetUnit::Bytes, 3 << 40, 5 << 30, 20 << 40, "3.0 + 5.0 GiB of 20.0 TiB"),
        ] {
            let month = Month { year: 2026, month: 11 };
            assert_eq!(short(&MonthUse { month, unit, limit, spent, reserved }), line);
        }
    }
}

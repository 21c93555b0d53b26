//! A cost by a table of prices, or why it is not known.

use std::fmt;

use deepclone_core::money::Money;

/// A cost: an estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Priced {
    Known {
        money: Money,
        /// The name of the table that it is by.
        price_table: String,
    },
    /// Why not, in one line.
    Unknown(String),
}

impl Priced {
    /// The amount, where it is known.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        match self {
            Self::Known { money, .. } => Some(*money),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the sum of both; not known where one of them is not.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Known { money, price_table }, Self::Known { money: more, .. }) => {
                match money.plus(*more) {
                    Ok(money) => Self::Known { money, price_table },
                    Err(differ) => Self::Unknown(differ.to_string()),
                }
            }
            (Self::Known { .. }, unknown) => unknown.clone(),
            (unknown, _) => unknown,
        }
    }
}

/// As `1.20 USD est. (list prices of November 2026)`, or why it is not known.
impl fmt::Display for Priced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { money, price_table } => write!(formatter, "{money} est. ({price_table})"),
            Self::Unknown(why) => write!(formatter, "cost not known: {why}"),
        }
    }
}

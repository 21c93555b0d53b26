//! A share of a whole, as `5%` or `0.25%`.

use std::str::FromStr;

/// Millionths in one percent.
const PERCENT: f64 = 10_000.0;

/// A share of a whole, above nothing and at most all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Millionths, 1 to 1 000 000.
    pub millionths: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no share: write a number and %, such as 5% or 0.5%");
        let number = text.strip_suffix('%').ok_or_else(refused)?;
        let percent: f64 = number.trim_end().parse().map_err(|_| refused())?;
        let is_share = percent > 0.0 && percent <= 100.0;
        let millionths = (percent * PERCENT).round().max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is at least 1 and at most a million"
        )]
        let millionths = millionths as u32;
        if is_share { Ok(Self { millionths }) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_a_percentage() {
        for (text, millionths) in [
            ("5%", Some(50_000)),
            ("0.25 %", Some(2_500)),
            ("100%", Some(1_000_000)),
            ("0.00001%", Some(1)),
            ("0%", None),
            ("100.1%", None),
            ("-5%", None),
            ("5", None),
            ("NaN%", None),
            ("inf%", None),
            ("", None),
        ] {
            let found = text.parse::<Share>().ok().map(|share| share.millionths);
            assert_eq!(found, millionths, "{text}");
        }
    }
}

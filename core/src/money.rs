//! Amounts of money: whole millionths of one currency, never a floating-point number.
//!
//! Nothing is ever converted from one currency to another: a sum over two of them is refused.

use std::fmt;
use std::str::FromStr;

/// Millionths in one unit of a currency.
pub const MICROS_PER_UNIT: i64 = 1_000_000;
const MICROS_PER_CENT: u64 = 10_000;
const DECIMALS: usize = 6;

/// A currency by its code of ISO 4217, such as `EUR`. A code that is not in use is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// An amount of one currency. Sums end at the largest amount that there is (some 9 · 10¹² units)
/// instead of wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// In millionths of the currency's unit.
    pub micros: i64,
    pub currency: Currency,
}

/// A text that is not a currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?} is not a currency: write the three capital letters of one, such as EUR")]
pub struct CurrencyError {
    code: String,
}

/// A text that is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{text:?} is not an amount: write it as 300 EUR or 0.004 EUR")]
    Form { text: String },
    #[error("{text:?} has more than six decimals")]
    Decimals { text: String },
    #[error("{text:?} is more than can be counted")]
    Range { text: String },
    #[error(transparent)]
    Currency(#[from] CurrencyError),
}

/// Two amounts that cannot be added or compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} and {right} are two currencies, and none is converted")]
pub struct CurrenciesDiffer {
    pub left: Currency,
    pub right: Currency,
}

impl Currency {
    pub const EUR: Self = Self(*b"EUR");
    pub const USD: Self = Self(*b"USD");

    /// The three letters of its code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(code: &str) -> Result<Self, CurrencyError> {
        let known = CODES.split_whitespace().any(|known| known == code);
        let letters = code.as_bytes().try_into().ok().filter(|_| known);
        letters.map(Self).ok_or_else(|| CurrencyError { code: code.to_owned() })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Money {
    /// Nothing, in a currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self { micros: 0, currency }
    }

    /// Returns the sum of both.
    ///
    /// # Errors
    /// When they are of two currencies.
    pub fn plus(self, other: Self) -> Result<Self, CurrenciesDiffer> {
        if self.currency != other.currency {
            return Err(CurrenciesDiffer { left: self.currency, right: other.currency });
        }
        Ok(Self { micros: self.micros.saturating_add(other.micros), ..self })
    }
}

/// Reads `300 EUR`, `300EUR` or `0.004 EUR`: digits, at most six decimals after a point, and a
/// currency. There is no sign, and nothing between the digits.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let form = || MoneyError::Form { text: text.to_owned() };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(form)?;
        let (number, code) = text.split_at(end);
        let (units, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(units) || !is_digits(fraction) {
            return Err(form());
        }
        let currency = code.trim_start_matches(' ').parse()?;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return Err(MoneyError::Decimals { text: text.to_owned() });
        }
        let micros = format!("{units}{fraction:0<DECIMALS$}").parse();
        let micros = micros.map_err(|_| MoneyError::Range { text: text.to_owned() })?;
        Ok(Self { micros, currency })
    }
}

/// Writes `300.00 EUR`: two decimals, rounded to the nearest; more where it is less than a cent,
/// as `0.004 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.micros < 0 { "-" } else { "" };
        let micros = self.micros.unsigned_abs();
        if (1..MICROS_PER_CENT).contains(&micros) {
            let fraction = format!("{micros:0>DECIMALS$}");
            let fraction = fraction.trim_end_matches('0');
            return write!(formatter, "{sign}0.{fraction} {}", self.currency);
        }
        let cents = (micros + MICROS_PER_CENT / 2) / MICROS_PER_CENT;
        write!(formatter, "{sign}{}.{:02} {}", cents / 100, cents % 100, self.currency)
    }
}

/// The currencies in use, by ISO 4217 (2025): those of countries and of the West African,
/// Central African, East Caribbean and Pacific unions.
const CODES: &str = "
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
    KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        let cases = [
            ("300 EUR", 300_000_000, "300.00 EUR"),
            ("300EUR", 300_000_000, "300.00 EUR"),
            ("0 USD", 0, "0.00 USD"),
            ("0.004 EUR", 4_000, "0.004 EUR"),
            ("0.000001 EUR", 1, "0.000001 EUR"),
            ("0.00999 EUR", 9_990, "0.00999 EUR"),
            ("0.01 EUR", 10_000, "0.01 EUR"),
            ("0.015 EUR", 15_000, "0.02 EUR"),
            ("12.344999 EUR", 12_344_999, "12.34 EUR"),
            ("12.995 EUR", 12_995_000, "13.00 EUR"),
            ("1.50000000 CHF", 1_500_000, "1.50 CHF"),
            ("007 EUR", 7_000_000, "7.00 EUR"),
            ("9223372036854.775807 EUR", i64::MAX, "9223372036854.78 EUR"),
        ];
        for (text, micros, shown) in cases {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.micros, money.to_string().as_str()), (micros, shown), "{text}");
        }
        assert_eq!(Money { micros: -4_000, currency: Currency::EUR }.to_string(), "-0.004 EUR");
        let least = Money { micros: i64::MIN, currency: Currency::EUR };
        assert_eq!(least.to_string(), "-9223372036854.78 EUR");
    }

    #[test]
    fn what_is_no_amount_says_why() {
        let form = ["", "300", "EUR", "EUR 300", "-3 EUR", "+3 EUR", ".5 EUR", "5. EUR"];
        for text in form.into_iter().chain(["1.2.3 EUR", "٣ EUR", "\t3 EUR"]) {
            let error = text.parse::<Money>().unwrap_err();
            assert_eq!(error, MoneyError::Form { text: text.to_owned() });
        }
        let cases = [
            ("1,000 EUR", "\",000 EUR\" is not a currency"),
            ("3 eur", "\"eur\" is not a currency"),
            ("3 ERU", "\"ERU\" is not a currency"),
            ("3 EUR ", "\"EUR \" is not a currency"),
            ("1e3 EUR", "\"e3 EUR\" is not a currency"),
            ("0.0000001 EUR", "\"0.0000001 EUR\" has more than six decimals"),
            ("9223372036854.775808 EUR", "is more than can be counted"),
        ];
        for (text, said) in cases {
            let error = text.parse::<Money>().unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn two_currencies_are_never_added() {
        let money = |micros, currency| Money { micros, currency };
        let sum = money(1, Currency::EUR).plus(money(2, Currency::EUR));
        assert_eq!(sum, Ok(money(3, Currency::EUR)));
        let most = money(i64::MAX, Currency::EUR);
        assert_eq!(most.plus(money(1, Currency::EUR)), Ok(most));
        let error = most.plus(Money::zero(Currency::USD)).unwrap_err();
        assert_eq!(error.to_string(), "EUR and USD are two currencies, and none is converted");
        assert_eq!(format!("{:?}", Currency::EUR), "EUR");
    }
}

//! The tables that a principal's calls may concern.

use super::place::AccessPlace;

/// The places from which a principal may have tables read, and those to which it may have them
/// written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub read_from: Reach,
    pub write_to: Reach,
}

/// A set of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Every folder of every connection.
    #[default]
    Everywhere,
    /// These alone; none, where the list is empty.
    Places(Vec<AccessPlace>),
}

impl Reach {
    /// Returns whether the table at `path` below the root of `connection` is in reach.
    #[must_use]
    pub fn holds(&self, connection: &str, path: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Places(places) => places.iter().any(|place| place.holds(connection, path)),
        }
    }

    /// Returns whether any table of `connection` can be in reach.
    #[must_use]
    pub fn touches(&self, connection: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Places(places) => places.iter().any(|place| place.is_of(connection)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_holds_what_one_of_its_places_holds() {
        let places = ["lake/sales", "dr"].map(|place| place.parse().unwrap());
        let some = Reach::Places(places.to_vec());
        for (connection, path, holds, touches) in [
            ("lake", "sales/orders", true, true),
            ("lake", "hr", false, true),
            ("dr", "hr", true, true),
            ("other", "sales", false, false),
        ] {
            assert_eq!(some.holds(connection, path), holds, "{connection} {path}");
            assert_eq!(some.touches(connection), touches, "{connection}");
            assert!(Reach::Everywhere.holds(connection, path));
            assert!(Reach::Everywhere.touches(connection));
            assert!(!Reach::Places(vec![]).holds(connection, path));
            assert!(!Reach::Places(vec![]).touches(connection));
        }
        assert_eq!(Scope::default().write_to, Reach::Everywhere);
    }
}

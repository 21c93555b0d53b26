//! Where a store is, as far as prices tell places apart.

use std::fmt;
use std::str::FromStr;

/// A region of a cloud, written `aws/eu-central-1`. A place of one's own is one, too:
/// `local/berlin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    pub cloud: String,
    pub name: String,
}

/// Where the bytes of a copy come from and go to. `None`: not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionPair {
    pub source: Option<Region>,
    pub target: Option<Region>,
}

/// A text that is not a region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a region: write cloud/name in small letters, such as aws/eu-central-1")]
pub struct RegionError {
    text: String,
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let is_word = |word: &str| {
            let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !word.is_empty() && word.chars().all(is_fine)
        };
        let (cloud, name) = text
            .split_once('/')
            .filter(|(cloud, name)| is_word(cloud) && is_word(name))
            .ok_or_else(|| RegionError { text: text.to_owned() })?;
        Ok(Self { cloud: cloud.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.cloud, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_cloud_and_a_name() {
        let region: Region = "aws/eu-central-1".parse().unwrap();
        assert_eq!((region.cloud.as_str(), region.name.as_str()), ("aws", "eu-central-1"));
        assert_eq!(region.to_string(), "aws/eu-central-1");
        for text in ["", "aws", "aws/", "/eu", "AWS/eu", "azure/West Europe", "aws/eu/1"] {
            let error = text.parse::<Region>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is not a region")));
        }
    }
}

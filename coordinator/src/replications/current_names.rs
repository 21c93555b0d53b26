//! The names that replications have now. What they sent is kept by their ids, and by the names that
//! they had then.

use std::collections::BTreeMap;

use super::rows;
use crate::state::{StateError, Store, UsageSum};

/// Names of replications, also of those that were retired, by their ids.
#[derive(Debug)]
pub struct CurrentNames(BTreeMap<String, String>);

impl CurrentNames {
    /// Reads them.
    ///
    /// # Errors
    /// The state cannot be read, or a declaration in it is damaged.
    pub async fn read(store: &dyn Store) -> Result<Self, StateError> {
        let rows = store.rows_of_kind(rows::SPEC).await?;
        let names = rows.iter().map(|row| {
            let spec = crate::state::decode_replication(&row.body)?;
            Ok((row.key.owner.clone(), spec.name.to_string()))
        });
        Ok(Self(names.collect::<Result<_, StateError>>()?))
    }

    /// Gives sums that are by replication the names of now, and adds those that have the same one.
    #[must_use]
    pub fn of(&self, sums: Vec<UsageSum>) -> Vec<UsageSum> {
        let mut all = BTreeMap::new();
        for UsageSum { mut labels, sums } in sums {
            let id = std::mem::take(&mut labels.replication_id);
            if let Some(name) = self.0.get(&id) {
                labels.replication.clone_from(name);
            }
            let key = (labels, sums.currency.clone());
            match all.get_mut(&key) {
                None => {
                    all.insert(key, sums);
                }
                Some(known) => crate::state::UsageSums::add(known, &sums),
            }
        }
        all.into_iter().map(|((labels, _), sums)| UsageSum { labels, sums }).collect()
    }
}

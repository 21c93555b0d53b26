//! What a receipt shows, as far as the machine looks at it: numbers.

use sha2::{Digest, Sha256};

use crate::group::GroupStep;
use crate::receipt::Receipt;

/// What a receipt shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) objects: u32,
    /// The sizes of the objects, added up.
    object_bytes: u64,
    /// The sizes of the parts, added up.
    part_bytes: u64,
    /// The upload that a step opened or wrote to.
    pub(super) upload: Option<UploadKey>,
}

/// Names an upload: a hash of the store's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UploadKey([u8; 16]);

impl Shown {
    pub(super) fn of(receipt: &Receipt) -> Self {
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0, u64::saturating_add);
        Self {
            objects: u32::try_from(receipt.objects.len()).unwrap_or(u32::MAX),
            object_bytes: sum(&mut receipt.objects.iter().map(|object| object.size)),
            part_bytes: sum(&mut receipt.parts.iter().map(|part| part.size)),
            upload: receipt.upload.as_ref().map(|upload| UploadKey::of(&upload.id)),
        }
    }

    /// True when it shows as many objects as a task has, or what a step records.
    pub(super) fn has_the_shape(&self, step: Option<GroupStep>, objects: u32, bytes: u64) -> bool {
        match step {
            None | Some(GroupStep::Finish) => self.objects == objects,
            Some(GroupStep::Open) => {
                self.is_whole_object() || self.objects == 0 && self.upload.is_some()
            }
            Some(GroupStep::Parts) => {
                self.objects == 0 && self.part_bytes == bytes && self.upload.is_some()
            }
        }
    }

    /// True when an opening found the object at the target.
    pub(super) fn is_whole_object(&self) -> bool {
        self.objects == 1
    }

    /// Says what it lacks of a task. `None` when it shows all.
    pub(super) fn lacks(
        &self,
        step: Option<GroupStep>,
        objects: u32,
        bytes: u64,
    ) -> Option<String> {
        let Self { objects: seen, object_bytes, part_bytes, .. } = *self;
        if self.has_the_shape(step, objects, bytes) && (step.is_some() || object_bytes >= bytes) {
            return None;
        }
        let seen_bytes = object_bytes.saturating_add(part_bytes);
        Some(format!(
            "the receipt shows {seen} objects and {seen_bytes} bytes of a task of {objects} and \
             {bytes}"
        ))
    }
}

impl UploadKey {
    fn of(id: &str) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

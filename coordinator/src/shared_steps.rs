//! What the steps of shared objects recorded, as far as later steps need it: which upload was
//! opened, and which parts were written to it. It follows the facts, so a restart knows it again.

use std::collections::BTreeMap;

use deepclone_core::ids::TaskFingerprint;
use deepclone_core::machine::Fact;
use deepclone_core::receipt::{PartReceipt, SharedUpload};

/// The steps of one job that are done, of objects that are not.
#[derive(Clone, Debug, Default)]
pub struct SharedSteps(BTreeMap<TaskFingerprint, SharedStep>);

/// What one step recorded.
#[derive(Clone, Debug)]
struct SharedStep {
    upload: SharedUpload,
    /// None for the step that opened the upload.
    parts: Vec<PartReceipt>,
}

impl SharedSteps {
    /// Applies a fact that is durable.
    pub fn record(&mut self, fact: &Fact) {
        match fact {
            Fact::TaskDone { fingerprint, receipt, .. } => {
                let Some(upload) = &receipt.upload else { return };
                if receipt.objects.is_empty() {
                    let (upload, parts) = (upload.clone(), receipt.parts.clone());
                    self.0.insert(*fingerprint, SharedStep { upload, parts });
                } else if !upload.id.is_empty() {
                    // The object is whole: nobody asks for its steps again.
                    self.0.retain(|_, step| step.upload.id != upload.id);
                }
            }
            Fact::GroupRestarted { fingerprints, .. } => self.forget(fingerprints),
            _ => {}
        }
    }

    /// Drops the steps of these tasks.
    pub fn forget(&mut self, fingerprints: &[TaskFingerprint]) {
        for fingerprint in fingerprints {
            self.0.remove(fingerprint);
        }
    }

    /// Returns the upload that a task opened.
    #[must_use]
    pub fn upload(&self, fingerprint: TaskFingerprint) -> Option<&SharedUpload> {
        self.0.get(&fingerprint).filter(|step| step.parts.is_empty()).map(|step| &step.upload)
    }

    /// Returns the parts that a task wrote.
    #[must_use]
    pub fn parts(&self, fingerprint: TaskFingerprint) -> Option<&[PartReceipt]> {
        self.0.get(&fingerprint).map(|step| &step.parts[..]).filter(|parts| !parts.is_empty())
    }

    /// Returns the uploads that are open, each with the task that opened it.
    pub fn open(&self) -> impl Iterator<Item = (TaskFingerprint, &SharedUpload)> {
        let opened = self.0.iter().filter(|(_, step)| step.parts.is_empty());
        opened.map(|(fingerprint, step)| (*fingerprint, &step.upload))
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::ids::JobId;
    use deepclone_core::receipt::{ObjectReceipt, Proof, Receipt};
    use uuid::Uuid;

    use super::*;

    fn name(number: u8) -> TaskFingerprint {
        TaskFingerprint([number; 32])
    }

    fn done(number: u8, upload: &str, parts: u32, is_whole: bool) -> Fact {
        let upload =
            SharedUpload { id: upload.into(), is_checked: false, source_etag: String::new() };
        let part =
            |number| PartReceipt { number, size: 1, crc64nvme: 0, id: "p".into(), is_proved: true };
        let object = ObjectReceipt {
            size: 1,
            crc64nvme: 0,
            source_etag: String::new(),
            target_etag: String::new(),
            existed: false,
            proof: Proof::Length,
        };
        let receipt = Receipt {
            objects: is_whole.then_some(object).into_iter().collect(),
            upload: Some(upload),
            parts: (0..parts).map(part).collect(),
            ..Receipt::default()
        };
        Fact::TaskDone { job: JobId(Uuid::nil()), fingerprint: name(number), receipt }
    }

    #[test]
    fn steps_are_kept_until_their_object_is_whole_or_begun_again() {
        let mut steps = SharedSteps::default();
        for fact in [done(1, "u", 0, false), done(2, "u", 3, false), done(5, "v", 0, false)] {
            steps.record(&fact);
        }
        assert_eq!(steps.upload(name(1)).unwrap().id, "u");
        assert_eq!(steps.parts(name(2)).unwrap().len(), 3);
        assert!(steps.upload(name(2)).is_none() && steps.parts(name(1)).is_none());
        steps.record(&done(3, "u", 0, true));
        assert!(steps.upload(name(1)).is_none() && steps.parts(name(2)).is_none());
        let open: Vec<_> = steps.open().map(|(task, upload)| (task, &upload.id[..])).collect();
        assert_eq!(open, [(name(5), "v")]);
        let job = JobId(Uuid::nil());
        steps.record(&Fact::GroupRestarted { job, fingerprints: vec![name(5), name(6)] });
        assert_eq!(steps.open().count(), 0);
    }
}

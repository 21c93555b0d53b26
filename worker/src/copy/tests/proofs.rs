//! What proves an object, by the store that holds it, by its length, and by how it is verified.

use crc_fast::{CrcAlgorithm, checksum};
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::evidence::PriorCopy;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;
use md5::{Digest as _, Md5};

use super::faulty::Says;
use super::*;
use crate::copy::target::store::StoreTarget;

/// An object that is held, one that flows, and one of three parts.
const SIZES: [u64; 3] = [1_000, HELD_OBJECT_BYTES_MAX + 1, WHOLE_OBJECT_BYTES_MAX + 7];

fn crc64nvme(bytes: &[u8]) -> StoredChecksum {
    StoredChecksum::Crc64Nvme(checksum(CrcAlgorithm::Crc64Nvme, bytes))
}

fn crc32c(bytes: &[u8]) -> StoredChecksum {
    StoredChecksum::Crc32c(u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).unwrap())
}

fn md5(bytes: &[u8]) -> StoredChecksum {
    StoredChecksum::Md5(Md5::digest(bytes).into())
}

/// That of other bytes.
fn wrong(bytes: &[u8]) -> StoredChecksum {
    crc64nvme(&bytes[1..])
}

/// A target that speaks as a kind of store does.
#[derive(Clone, Copy, Debug, Default)]
struct Speaker {
    uri: &'static str,
    /// True when it takes a checksum with an object that is in memory.
    takes: bool,
    /// What it says of the bodies of PUTs and parts.
    bodies: Option<Says>,
    /// What it says of the object that an upload made.
    uploads: Option<Says>,
}

const AMAZON: Speaker =
    Speaker { uri: "s3://b", takes: true, bodies: Some(crc64nvme), uploads: Some(crc64nvme) };

/// A case before this target, and the handle of its requests with checksums.
fn speaking(speaker: Speaker, verification: Verification) -> (Case, Arc<Faulty>) {
    speaking_with(&[], speaker, verification)
}

fn speaking_with(
    target: Faults<'_>,
    speaker: Speaker,
    verification: Verification,
) -> (Case, Arc<Faulty>) {
    let mut case = case(&[], target);
    let checked = case.target.beside();
    for handle in [&case.target, &checked] {
        for (says, said) in
            [(speaker.bodies, &handle.says_of_bodies), (speaker.uploads, &handle.says_of_uploads)]
        {
            if let Some(says) = says {
                said.set(says).unwrap();
            }
        }
    }
    let Target::Store(StoreTarget { table, streaming, .. }) = &mut case.context.target else {
        unreachable!("a target in memory")
    };
    table.uri = speaker.uri.to_owned();
    if speaker.takes {
        let (objects, uploads) = (Arc::clone(&checked), Arc::clone(&checked));
        *streaming = streaming.clone().or_checked(objects, uploads);
    }
    case.context.verification = verification;
    (case, checked)
}

fn body(size: u64) -> Bytes {
    bytes_of(usize::try_from(size).unwrap())
}

#[tokio::test]
async fn a_digest_is_proved_by_what_the_store_takes_or_says() {
    use Proof::{Length, StoredChecksum};
    let [held_and_parts, whole] = [[StoredChecksum, Length, StoredChecksum], [StoredChecksum; 3]];
    for (speaker, proofs) in [
        (AMAZON, whole),
        // S3 without checksums: it refuses them, and says none.
        (Speaker { uri: "s3://b", ..Speaker::default() }, [Length; 3]),
        // It takes them, and says that of an upload alone.
        (Speaker { bodies: None, ..AMAZON }, held_and_parts),
        // Azure: each block is said, the list of blocks is not.
        (Speaker { uri: "az://b", bodies: Some(crc64nvme), ..Speaker::default() }, whole),
        // Google Cloud Storage.
        (
            Speaker {
                uri: "gs://b",
                bodies: Some(crc32c),
                uploads: Some(crc32c),
                ..Speaker::default()
            },
            whole,
        ),
        // A checksum that was not computed tells nothing.
        (Speaker { uri: "s3://b", bodies: Some(md5), ..Speaker::default() }, [Length; 3]),
    ] {
        for (size, proof) in SIZES.into_iter().zip(proofs) {
            let (case, checked) = speaking(speaker, Verification::Digest);
            let receipt = case.done(&body(size)).await;
            assert_eq!(receipt.objects[0].proof, proof, "{size} {speaker:?}");
            let gets = case.target.count("get") + case.target.count("head");
            assert_eq!(gets, 0, "{size} {speaker:?}");
            let is_checked = speaker.takes && size <= HELD_OBJECT_BYTES_MAX;
            assert_eq!(checked.count("put"), u32::from(is_checked), "{size} {speaker:?}");
        }
    }
    // An emulator of Azure says MD5 of whole objects, and nothing of blocks.
    let emulator = Speaker { uri: "az://b", bodies: Some(md5), ..Speaker::default() };
    for size in &SIZES[..2] {
        let (case, _) = speaking(emulator, Verification::Digest);
        assert_eq!(case.done(&body(*size)).await.objects[0].proof, StoredChecksum, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_wants_checksums_proves_what_it_takes_whatever_it_says() {
    let silent = Speaker { bodies: None, uploads: None, ..AMAZON };
    let faults: Faults<'_> = &[("put", 1, Fault::WantChecksum)];
    let (case, checked) = speaking_with(faults, silent, Verification::Digest);
    let [held, flow, parts] = SIZES;
    // The first write finds out, and its task is tried again; from then on parts have checksums,
    // too.
    case.source.inner.put(&at(), body(flow).into()).await.unwrap();
    assert_eq!(case.failed(flow).await.0, TaskFailureKind::Transient);
    for size in [flow, parts, held] {
        let receipt = case.done(&body(size)).await;
        assert_eq!(receipt.objects[0].proof, Proof::StoredChecksum, "{size}");
        case.target.inner.delete(&at()).await.unwrap();
    }
    assert_eq!((case.target.count("put"), case.target.count("upload")), (1, 0));
    assert_eq!((checked.count("put"), checked.count("upload")), (2, 1));
}

#[tokio::test]
async fn by_size_no_store_is_asked_and_nothing_but_the_length_is_compared() {
    for size in SIZES {
        // Nobody hears what either side would say, so it may be wrong.
        let speaker = Speaker { bodies: Some(wrong), uploads: Some(wrong), ..AMAZON };
        let (case, checked) = speaking(speaker, Verification::Size);
        case.source.says_of_objects.set(wrong).unwrap();
        let receipt = case.done(&body(size)).await;
        assert_eq!(receipt.objects[0].proof, Proof::Length, "{size}");
        assert_eq!(checked.total(), 0, "{size}");
        assert_eq!((case.target.count("get"), case.target.count("head")), (0, 0), "{size}");
    }
}

#[tokio::test]
async fn by_reading_back_each_written_object_is_read_once() {
    for size in SIZES {
        for speaker in [AMAZON, Speaker { uri: "gs://b", ..Speaker::default() }] {
            let (case, _) = speaking(speaker, Verification::ReadBack);
            let receipt = case.done(&body(size)).await;
            assert_eq!(receipt.objects[0].proof, Proof::ReadBack, "{size} {speaker:?}");
            assert_eq!(case.target.count("get"), 1, "{size} {speaker:?}");
        }
    }
}

#[tokio::test]
async fn on_disk_the_length_is_known_and_the_bytes_once_they_are_read() {
    for (verification, proof) in [
        (Verification::Size, Proof::Length),
        (Verification::Digest, Proof::Length),
        (Verification::ReadBack, Proof::ReadBack),
    ] {
        for size in SIZES {
            let (mut case, _folder) = case_on_disk();
            case.context.verification = verification;
            case.source.inner.put(&at(), body(size).into()).await.unwrap();
            let outcome = case.run(size).await;
            let TaskOutcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
            assert_eq!(receipt.objects[0].proof, proof, "{size} {verification:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_another_checksum_is_read_back_or_gets_the_part_again() {
    let lying = |bodies, uploads| Speaker { bodies, uploads, ..AMAZON };
    let [held, flow, parts] = SIZES;
    for (size, speaker) in [
        (held, lying(Some(wrong as Says), None)),
        (flow, lying(Some(wrong as Says), None)),
        (parts, lying(Some(crc64nvme as Says), Some(wrong as Says))),
    ] {
        let (case, checked) = speaking(speaker, Verification::Digest);
        let receipt = case.done(&body(size)).await;
        assert_eq!(receipt.objects[0].proof, Proof::ReadBack, "{size}");
        assert_eq!(case.target.count("get"), 1, "{size}");
        assert_eq!(case.target.count("put") + checked.count("put"), u32::from(size < parts));
    }
    let (case, _) = speaking(lying(Some(wrong), None), Verification::Digest);
    case.source.inner.put(&at(), body(parts).into()).await.unwrap();
    let (kind, message) = case.failed(parts).await;
    assert_eq!(kind, TaskFailureKind::Transient);
    assert!(message.contains("other bytes"), "{message}");
    assert!(case.target.count("part") > 3, "no part was sent again");
    assert!(case.target.inner.head(&at()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_bytes_rotted_is_refused_with_its_key() {
    for size in &SIZES[..2] {
        for verification in [Verification::Digest, Verification::ReadBack] {
            let (case, _) = speaking(AMAZON, verification);
            case.source.says_of_objects.set(wrong).unwrap();
            case.source.inner.put(&at(), body(*size).into()).await.unwrap();
            let (kind, message) = case.failed(*size).await;
            assert_eq!(kind, TaskFailureKind::Corrupt, "{size} {verification:?}");
            assert!(message.contains(KEY) && message.contains("source"), "{message}");
            assert!(case.target.inner.head(&at()).await.is_err(), "{size} {verification:?}");
        }
    }
}

#[tokio::test]
async fn an_object_that_was_there_is_never_proved_by_its_length() {
    let [size, ..] = SIZES;
    let body = body(size);
    for (verification, says, is_earlier, proof, bytes_read) in [
        (Verification::Digest, true, true, Proof::StoredChecksum, 0),
        (Verification::Digest, true, false, Proof::StoredChecksum, 0),
        (Verification::Digest, false, true, Proof::Earlier, 0),
        (Verification::Digest, false, false, Proof::ReadBack, size),
        // No store is asked.
        (Verification::Size, true, true, Proof::Earlier, 0),
        (Verification::Size, true, false, Proof::ReadBack, size),
        (Verification::ReadBack, true, false, Proof::StoredChecksum, 0),
    ] {
        let (case, _) = speaking(AMAZON, verification);
        let mut etags = Vec::new();
        for store in [&case.source, &case.target] {
            let put = store.inner.put(&at(), body.clone().into()).await.unwrap();
            etags.push(put.e_tag.unwrap());
            if says {
                store.says_of_objects.set(crc64nvme).unwrap();
            }
        }
        let [source_etag, target_etag] = etags.try_into().unwrap();
        let crc64nvme = checksum(CrcAlgorithm::Crc64Nvme, &body);
        let copy = PriorCopy { crc64nvme, source_etag, target_etag, replaceable: false };
        let prior = if is_earlier { Prior::Copied(copy) } else { Prior::Unproven };
        let outcome = copy_task(&case.context, &[ObjectCopy { prior, ..object(size) }]).await;
        let TaskOutcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
        let found = (receipt.objects[0].proof, receipt.bytes_read, receipt.bytes_written);
        let shown = format!("{verification:?} {says} {is_earlier}");
        assert_eq!(found, (proof, bytes_read, 0), "{shown}");
    }
}

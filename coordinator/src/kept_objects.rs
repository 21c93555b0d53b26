//! The objects of a live job, once its plan is made. A job copies for hours, and several do at
//! once: where the objects are many, they stand in a temporary file.
//!
//! They stand there in the order of their keys, each as a grant tells it
//! (`deepclone.v1.ObjectCopy`) behind its length, but without the source's key where it is the
//! target's.

use deepclone_core::failure::Failure;
use deepclone_core::task::ObjectCopy;
use deepclone_delta::spool::{Spool, lost};
use deepclone_proto::v1;
use prost::Message as _;
use rayon::prelude::*;

/// Objects of a block, which is read as a whole.
const BLOCK_OBJECTS: usize = 32;
/// Objects that somebody reads at once who wants all.
const OBJECTS_AT_ONCE: usize = 1_024;
/// What the temporary file holds.
const OBJECTS: &str = "the objects of a plan";

/// The objects of a plan, by their places.
#[derive(Debug, Default)]
pub struct KeptObjects {
    spool: Spool,
    /// Where each block ends.
    ends: Vec<u64>,
    count: usize,
}

impl KeptObjects {
    /// All places, in order, in portions that are read at once.
    pub fn places(&self) -> impl Iterator<Item = Vec<usize>> {
        let start = (0..self.count).step_by(OBJECTS_AT_ONCE);
        start.map(|start| (start..self.count.min(start + OBJECTS_AT_ONCE)).collect())
    }

    /// Keeps `count` objects behind the others, which fill their blocks: `object` returns each by
    /// its place among the new ones. It may leave a source's key empty that is the target's.
    ///
    /// # Errors
    /// A temporary file can neither be written nor read.
    pub fn append(
        &mut self,
        count: usize,
        object: impl Fn(usize) -> ObjectCopy + Sync,
    ) -> Result<(), Failure> {
        debug_assert!(self.count.is_multiple_of(BLOCK_OBJECTS), "a block is not full");
        let block = |block: usize| {
            let places = block * BLOCK_OBJECTS..count.min((block + 1) * BLOCK_OBJECTS);
            places.fold(Vec::new(), |mut bytes, place| {
                encode(object(place), &mut bytes);
                bytes
            })
        };
        let blocks = 0..count.div_ceil(BLOCK_OBJECTS);
        let blocks: Vec<Vec<u8>> = blocks.into_par_iter().map(block).collect();
        let mut end = self.spool.bytes();
        for block in &blocks {
            end += block.len() as u64;
            self.ends.push(end);
        }
        self.spool.append_anywhere(&blocks.concat()).map_err(|error| unread(&error))?;
        self.count += count;
        Ok(())
    }

    /// Reads the objects at these places, which ascend.
    ///
    /// # Errors
    /// The temporary file cannot be read, or there is no such place.
    pub fn read(&self, places: &[usize]) -> Result<Vec<ObjectCopy>, Failure> {
        let mut objects = Vec::with_capacity(places.len());
        let is_near = |a: &usize, b: &usize| b / BLOCK_OBJECTS <= a / BLOCK_OBJECTS + 1;
        for run in places.chunk_by(is_near) {
            let block = run[0] / BLOCK_OBJECTS;
            let bytes = self.blocks(block, run[run.len() - 1] / BLOCK_OBJECTS)?;
            let (mut rest, mut place) = (&bytes[..], block * BLOCK_OBJECTS);
            for &wanted in run {
                while place < wanted {
                    next(&mut rest)?;
                    place += 1;
                }
                objects.push(decode(next(&mut rest)?)?);
                place += 1;
            }
        }
        Ok(objects)
    }

    /// Reads the blocks from one to another.
    fn blocks(&self, first: usize, last: usize) -> Result<Vec<u8>, Failure> {
        let start = if first == 0 { 0 } else { self.ends[first - 1] };
        let end = self.ends.get(last).ok_or_else(|| unread(&"it has no such object"))?;
        let length = usize::try_from(end - start).map_err(|error| unread(&error))?;
        self.spool.read(start, length).map_err(|error| unread(&error))
    }
}

fn encode(object: ObjectCopy, bytes: &mut Vec<u8>) {
    let mut wire = v1::ObjectCopy::from(&object);
    if wire.source_path == wire.target_path {
        wire.source_path.clear();
    }
    bytes.reserve(wire.encoded_len() + prost::length_delimiter_len(wire.encoded_len()));
    // A vector takes any length.
    let _taken = wire.encode_length_delimited(bytes);
}

/// Cuts the next object off.
fn next<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Failure> {
    let length = prost::decode_length_delimiter(&mut *rest).map_err(|error| unread(&error))?;
    let cut = rest.split_at_checked(length).ok_or_else(|| unread(&"it ends within an object"))?;
    *rest = cut.1;
    Ok(cut.0)
}

fn decode(bytes: &[u8]) -> Result<ObjectCopy, Failure> {
    let mut wire = v1::ObjectCopy::decode(bytes).map_err(|error| unread(&error))?;
    if wire.source_path.is_empty() {
        wire.source_path.clone_from(&wire.target_path);
    }
    ObjectCopy::try_from(wire).map_err(|error| unread(&error))
}

fn unread(error: &dyn std::fmt::Display) -> Failure {
    lost(OBJECTS, error).failure()
}

#[cfg(test)]
mod tests {
    use deepclone_core::evidence::{Prior, PriorCopy};
    use deepclone_core::reason::Reason;

    use super::*;

    fn object(place: usize) -> ObjectCopy {
        let target_path = format!("p={}/{place}.parquet", "x".repeat(place % 7));
        let copy = PriorCopy {
            crc64nvme: place as u64,
            source_etag: "\"s\"".to_owned(),
            target_etag: String::new(),
            replaceable: true,
        };
        ObjectCopy {
            source_path: match place % 5 {
                0 => format!("//{place}"),
                _ => target_path.clone(),
            },
            target_path,
            size: place as u64,
            size_is_minimum: place.is_multiple_of(3),
            prior: match place % 4 {
                0 => Prior::Absent,
                1 => Prior::Unproven,
                _ => Prior::Copied(copy),
            },
        }
    }

    #[test]
    fn objects_are_read_again_at_any_places() {
        let (first, rest) = (BLOCK_OBJECTS * 5, BLOCK_OBJECTS * 900 + 3);
        let mut kept = KeptObjects::default();
        kept.append(first, object).unwrap();
        kept.append(rest, |place| object(first + place)).unwrap();
        assert_eq!(kept.places().map(|places| places.len()).sum::<usize>(), first + rest);
        let (block, last) = (BLOCK_OBJECTS, first + rest - 1);
        let cases: [&[usize]; 7] = [
            &[],
            &[0],
            &[last],
            &[block - 1, block],
            &[1, 3, block * 2, block * 3 + 1],
            &[2, block * 700, block * 701 - 1, last],
            &kept.places().flatten().collect::<Vec<_>>(),
        ];
        for places in cases {
            let expected: Vec<_> = places.iter().map(|&place| object(place)).collect();
            assert_eq!(kept.read(places).unwrap(), expected);
        }
        for place in [last + 1, last + block] {
            let failure = kept.read(&[place]).unwrap_err();
            assert_eq!(failure.reason, Reason::Internal);
            assert!(failure.message.contains("the objects of a plan cannot be read"), "{failure}");
        }
    }
}

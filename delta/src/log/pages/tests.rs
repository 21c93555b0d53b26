//! Headers of pages by hand: whole ones, lies, and bytes that are none.

use bytes::Bytes;

use super::*;

/// A varint of a signed number.
fn signed(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// The header of a page of this type and these sizes, with `more` fields after them.
fn header(kind: i64, unpacked: i64, packed: i64, more: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in [kind, unpacked, packed] {
        bytes.push(0x15);
        bytes.extend(signed(value));
    }
    bytes.extend(more);
    bytes.push(0);
    bytes
}

fn page(kind: i64, unpacked: i64, packed: usize) -> Vec<u8> {
    // A structure with a number, a list of two texts and a boolean, as field 5.
    let more = [0x2c, 0x15, 0x04, 0x19, 0x28, 0x01, b'a', 0x01, b'b', 0x11, 0x00];
    let mut bytes = header(kind, unpacked, i64::try_from(packed).unwrap(), &more);
    bytes.extend(vec![0; packed]);
    bytes
}

fn checked(bytes: Vec<u8>, rows: usize) -> Result<usize, String> {
    let bytes = Bytes::from(bytes);
    check(&bytes, 0..bytes.len() as u64, rows)
}

#[test]
fn pages_may_unpack_to_a_bound_and_no_further() {
    const MIB: i64 = 1 << 20;
    for (pages, rows) in [
        (vec![], Ok(4096)),
        (vec![page(0, 10, 10)], Ok(4096)),
        (vec![page(2, MIB, 10), page(0, MIB, 10)], Ok(256)),
        (vec![page(2, 256 << 10, 10), page(0, MIB, 10)], Ok(1024)),
        (vec![page(2, 63 * MIB, 10), page(0, MIB, 10)], Ok(16)),
        (vec![page(2, 64 * MIB, 10), page(0, 1, 10)], Err("unpack to")),
        (vec![page(0, i64::from(i32::MAX), 100)], Err("unpack to")),
        (vec![page(0, i64::MAX, 0), page(0, i64::MAX, 0)], Err("unpack to")),
        // A long part may unpack further.
        (vec![page(0, 200 * MIB, 1 << 20)], Ok(4096)),
        (vec![page(0, 257 * MIB, 1 << 20)], Err("unpack to")),
        (vec![page(0, -1, 10)], Err("cannot be read")),
        (vec![header(0, 10, -1, &[])], Err("cannot be read")),
        (vec![header(0, 10, 10, &[])], Err("longer than its column")),
        (vec![header(0, 10, i64::MAX, &[])], Err("longer than its column")),
        (vec![page(0, 10, 10), vec![0x15]], Err("cannot be read")),
        // No sizes, another type for one, an unknown type, a text longer than all.
        (vec![vec![0]], Err("cannot be read")),
        (vec![vec![0x16, 2, 0x15, 2, 0x15, 2, 0]], Err("cannot be read")),
        (vec![header(0, 0, 0, &[0x1d, 0])], Err("cannot be read")),
        (vec![header(0, 0, 0, &[0x18, 0xff, 0xff, 0x03])], Err("cannot be read")),
        // A list, a map and a varint that go on.
        (vec![header(0, 0, 0, &[0x19, 0xf8, 0xff, 0xff, 0xff, 0x0f])], Err("cannot be read")),
        (vec![header(0, 0, 0, &[0x1b, 0xff, 0xff, 0x7f, 0x88])], Err("cannot be read")),
        (vec![header(0, 0, 0, &[[0x16].as_slice(), &[0xff; 11]].concat())], Err("cannot be read")),
    ] {
        let bytes = pages.concat();
        let shown = &bytes[..bytes.len().min(40)];
        match (checked(bytes.clone(), 4096), rows) {
            (Ok(found), Ok(rows)) => assert_eq!(found, rows, "{shown:?}"),
            (Err(found), Err(piece)) => assert!(found.contains(piece), "{shown:?}: {found}"),
            (found, rows) => panic!("{shown:?}: {found:?}, not {rows:?}"),
        }
    }
}

#[test]
fn structures_may_nest_to_a_bound() {
    // Each is a field of the one above it; lists of lists, too.
    for (depth, is_read) in [(1, true), (8, true), (9, false), (100_000, false)] {
        let structures = [vec![0x1c; depth], vec![0; depth]].concat();
        assert_eq!(checked(header(0, 0, 0, &structures), 1).is_ok(), is_read, "{depth}");
        let mut lists = vec![0x19];
        lists.extend(vec![0x19; depth - 1]);
        lists.extend([0x13, 7]);
        assert_eq!(checked(header(0, 0, 0, &lists), 1).is_ok(), is_read, "{depth}");
    }
}

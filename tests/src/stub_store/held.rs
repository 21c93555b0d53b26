//! An object as it is stored, and how its answers word it.

use bytes::Bytes;

pub(super) const MODIFIED: &str = "Wed, 01 May 2024 00:00:00 GMT";

/// An object as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
    pub(super) checksum: String,
    /// Another one for each write.
    pub(super) generation: u64,
}

/// Bytes as headers have them.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).flat_map(|group| {
        let number = [0, 1, 2].map(|at| u32::from(*group.get(at).unwrap_or(&0)));
        let number = number.iter().fold(0, |whole, byte| whole << 8 | byte);
        let letters = [18, 12, 6, 0].map(|shift| LETTERS[(number >> shift & 63) as usize]);
        let used = group.len() + 1;
        (0..4).map(move |at| if at < used { char::from(letters[at]) } else { '=' })
    });
    groups.collect()
}

/// Text as it stands in XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn checksums_are_written_as_stores_do() {
        // CRC-64/NVME and CRC-32C of "123456789", as the catalogue of CRCs gives them.
        assert_eq!(base64(&0xae8b_1486_0a79_9888_u64.to_be_bytes()), "rosUhgp5mIg=");
        assert_eq!(base64(&0xe306_9283_u32.to_be_bytes()), "4waSgw==");
        assert_eq!(base64(&[0; 3]), "AAAA");
    }
}

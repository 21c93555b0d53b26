//! The checksums that stores say: of an object that they hold, and of the bytes that they took with
//! a write.
//!
//! S3 says CRC-64/NVME of whole objects: in headers, and in the body of a completed upload. Azure
//! says CRC-64/NVME of the body of each request, whose bytes it writes the other way round, and
//! Google Cloud Storage CRC-32C. Azurite and older versions of Azure say MD5.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use object_store::client::HttpRequest;

use crate::store::xml::{elements, unescaped};

const S3_CRC64: &str = "x-amz-checksum-crc64nvme";
const S3_TYPE: &str = "x-amz-checksum-type";
const FULL_OBJECT: &str = "FULL_OBJECT";
const AZURE_CRC64: &str = "x-ms-content-crc64";
const GOOGLE_HASH: &str = "x-goog-hash";
const MD5: &str = "content-md5";

/// A checksum that a store says of bytes that it holds or took, in the extensions of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredChecksum {
    Crc64Nvme(u64),
    Crc32c(u32),
    Md5([u8; 16]),
}

/// Where the answer to a request says a checksum of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Nowhere,
    InHeaders,
    /// In the XML of S3's answer to a completed upload.
    InBody,
}

impl Said {
    /// For a request that does not complete an upload.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        match *request.method() {
            Method::PUT => Self::InHeaders,
            _ => Self::Nowhere,
        }
    }
}

impl StoredChecksum {
    /// The checksum of a whole object in an answer of S3. One that is composed of the parts' own is
    /// none of the whole object's bytes.
    pub(crate) fn of_object(headers: &HeaderMap) -> Option<Self> {
        if headers.get(S3_TYPE).is_some_and(|kind| kind != FULL_OBJECT) {
            return None;
        }
        Self::from_s3(headers.get(S3_CRC64)?.as_bytes())
    }

    /// The checksum that Azure or Google Cloud Storage keeps of an object, in the headers of an
    /// answer that describes it. Azure's is the one that its writer gave.
    pub(crate) fn of_kept(headers: &HeaderMap) -> Option<Self> {
        let md5 = || decoded(headers.get(MD5)?.as_bytes()).map(Self::Md5);
        of_google(headers).or_else(md5)
    }

    /// The checksum of what was written in the headers of the answer, the one that is compared for
    /// nothing first.
    pub(crate) fn of_written(headers: &HeaderMap) -> Option<Self> {
        let azure = || decoded(headers.get(AZURE_CRC64)?.as_bytes());
        let md5 = || decoded(headers.get(MD5)?.as_bytes());
        Self::of_object(headers)
            .or_else(|| azure().map(u64::from_le_bytes).map(Self::Crc64Nvme))
            .or_else(|| of_google(headers))
            .or_else(|| md5().map(Self::Md5))
    }

    /// The checksum of the whole object in the body of S3's answer to a completed upload.
    pub(crate) fn of_completion(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let text_of = |name| elements(text, name).next().map(|(_, inside)| unescaped(inside));
        if text_of("ChecksumType").is_some_and(|kind| kind != FULL_OBJECT) {
            return None;
        }
        Self::from_s3(text_of("ChecksumCRC64NVME")?.as_bytes())
    }

    fn from_s3(base64: &[u8]) -> Option<Self> {
        decoded(base64).map(u64::from_be_bytes).map(Self::Crc64Nvme)
    }
}

/// Tells S3 the checksum of the body: it makes no object of other bytes.
pub(crate) fn say(request: &mut HttpRequest, crc64nvme: u64) {
    let text = BASE64_STANDARD.encode(crc64nvme.to_be_bytes());
    // Base64 is fit for a header.
    if let Ok(value) = HeaderValue::from_str(&text) {
        request.headers_mut().insert(S3_CRC64, value);
    }
}

/// `crc32c=…` among the hashes, which stand in one header or in several.
fn of_google(headers: &HeaderMap) -> Option<StoredChecksum> {
    let hashes = headers.get_all(GOOGLE_HASH).iter().filter_map(|value| value.to_str().ok());
    let mut hashes = hashes.flat_map(|value| value.split(','));
    let crc32c = hashes.find_map(|hash| hash.trim().strip_prefix("crc32c="))?;
    decoded(crc32c.as_bytes()).map(u32::from_be_bytes).map(StoredChecksum::Crc32c)
}

fn decoded<const N: usize>(base64: &[u8]) -> Option<[u8; N]> {
    BASE64_STANDARD.decode(base64).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    // Of "123456789", as the catalogue of CRCs and RFC 1321 give them.
    const CRC64: StoredChecksum = StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888);
    const CRC32C: StoredChecksum = StoredChecksum::Crc32c(0xe306_9283);
    const MD5_OF_NINE: StoredChecksum = StoredChecksum::Md5([
        0x25, 0xf9, 0xe7, 0x94, 0x32, 0x3b, 0x45, 0x38, 0x85, 0xf5, 0x18, 0x1f, 0x1b, 0x62, 0x4d,
        0x0b,
    ]);

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_checksum_is_read_as_each_store_writes_it() {
        let md5 = ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==");
        let google = "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==";
        for (pairs, object, written) in [
            (&[("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")][..], Some(CRC64), Some(CRC64)),
            (&[("x-amz-checksum-crc64nvme", "AAAA")], None, None),
            (&[("x-amz-checksum-crc64nvme", "no base64")], None, None),
            (
                &[
                    ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
                    ("x-amz-checksum-type", "COMPOSITE"),
                ],
                None,
                None,
            ),
            (&[("x-ms-content-crc64", "iJh5CoYUi64="), md5], None, Some(CRC64)),
            (&[md5], None, Some(MD5_OF_NINE)),
            (&[("x-goog-hash", google)], None, Some(CRC32C)),
            (
                &[
                    ("x-goog-hash", "md5=JfnnlDI7RTiF9RgfG2JNCw=="),
                    ("x-goog-hash", "crc32c=4waSgw=="),
                ],
                None,
                Some(CRC32C),
            ),
            (&[("x-goog-hash", "crc32c=4waS")], None, None),
            (&[], None, None),
        ] {
            let headers = headers(pairs);
            assert_eq!(StoredChecksum::of_object(&headers), object, "{pairs:?}");
            assert_eq!(StoredChecksum::of_written(&headers), written, "{pairs:?}");
        }
    }

    #[test]
    fn the_completion_of_an_upload_says_the_checksum_of_the_whole_object() {
        let checksum = "<ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>";
        for (kind, expect) in [
            ("<ChecksumType>FULL_OBJECT</ChecksumType>", Some(CRC64)),
            ("", Some(CRC64)),
            ("<ChecksumType>COMPOSITE</ChecksumType>", None),
        ] {
            let body = format!("<Result xmlns=\"x\"><ETag>e</ETag>{checksum}{kind}</Result>");
            assert_eq!(StoredChecksum::of_completion(body.as_bytes()), expect, "{body}");
        }
        for body in ["<Result><ETag>e</ETag></Result>", "<Error/>", "", "\u{fffd}"] {
            assert_eq!(StoredChecksum::of_completion(body.as_bytes()), None, "{body}");
        }
    }
}

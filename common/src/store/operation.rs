//! What a request asks of a store: the same words for every provider.

use http::Method;
use object_store::client::HttpRequest;

/// What a request asks of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreOperation {
    /// Reads an object or a range of it.
    Get,
    /// Describes an object without reading it.
    Head,
    /// Lists keys, or uploads that are open.
    List,
    /// Writes a whole object.
    Put,
    /// Opens an upload of parts.
    OpenUpload,
    /// Writes a part of an upload.
    PutPart,
    /// Lets the store copy an object or a part by itself.
    Copy,
    /// Makes an upload an object.
    CompleteUpload,
    /// Throws an upload away.
    AbortUpload,
    /// Deletes one object, or many at once.
    Delete,
    /// Anything that no other name is for.
    Other,
}

impl StoreOperation {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::List => "list",
            Self::Put => "put",
            Self::OpenUpload => "open_upload",
            Self::PutPart => "put_part",
            Self::Copy => "copy",
            Self::CompleteUpload => "complete_upload",
            Self::AbortUpload => "abort_upload",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }

    /// Returns what a request asks for, as it is sent.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |key: &str| {
            query.split('&').any(|pair| pair.split('=').next().is_some_and(|found| found == key))
        };
        let is = |pair: &str| query.split('&').any(|found| found == pair);
        let copies = || COPY_HEADERS.iter().any(|name| request.headers().contains_key(*name));
        match *request.method() {
            Method::HEAD => Self::Head,
            Method::GET if has("list-type") || is("comp=list") || has("uploads") => Self::List,
            Method::GET => Self::Get,
            Method::PUT if copies() => Self::Copy,
            Method::PUT if has("partNumber") || is("comp=block") => Self::PutPart,
            Method::PUT if is("comp=blocklist") => Self::CompleteUpload,
            Method::PUT => Self::Put,
            Method::POST if has("uploads") => Self::OpenUpload,
            Method::POST if has("uploadId") => Self::CompleteUpload,
            Method::POST if has("delete") || is("comp=batch") => Self::Delete,
            Method::POST if request.uri().path().contains(REWRITE) => Self::Copy,
            Method::DELETE if has("uploadId") => Self::AbortUpload,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// The headers by which a request names what the store is to copy.
const COPY_HEADERS: [&str; 2] = ["x-amz-copy-source", "x-ms-copy-source"];
/// The same in the address of a request to Google Cloud Storage.
const REWRITE: &str = "/rewriteTo/b/";

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;

    use super::*;

    #[test]
    fn the_requests_of_each_provider_have_the_same_names() {
        use StoreOperation as Is;
        for (method, query, header, expected) in [
            (Method::GET, "", "", Is::Get),
            (Method::GET, "x-id=GetObject&versionId=uploads", "", Is::Get),
            (Method::HEAD, "", "", Is::Head),
            (Method::GET, "list-type=2&prefix=a", "", Is::List),
            (Method::GET, "restype=container&comp=list", "", Is::List),
            (Method::GET, "uploads=&prefix=a", "", Is::List),
            (Method::PUT, "", "", Is::Put),
            (Method::PUT, "", "x-ms-copy-source", Is::Copy),
            (Method::PUT, "partNumber=1&uploadId=u", "x-amz-copy-source", Is::Copy),
            (Method::PUT, "partNumber=1&uploadId=u", "", Is::PutPart),
            (Method::PUT, "comp=block&blockid=1", "", Is::PutPart),
            (Method::PUT, "comp=blocklist", "", Is::CompleteUpload),
            (Method::POST, "uploads=", "", Is::OpenUpload),
            (Method::POST, "uploads", "", Is::OpenUpload),
            (Method::POST, "uploadId=u", "", Is::CompleteUpload),
            (Method::POST, "delete", "", Is::Delete),
            (Method::POST, "restype=container&comp=batch", "", Is::Delete),
            (Method::DELETE, "uploadId=u", "", Is::AbortUpload),
            (Method::DELETE, "", "", Is::Delete),
            (Method::PATCH, "", "", Is::Other),
        ] {
            let uri = format!("http://store/bucket/key?{query}");
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.parse().unwrap();
            if !header.is_empty() {
                request.headers_mut().insert(header, "bucket/key".parse().unwrap());
            }
            assert_eq!(StoreOperation::of(&request), expected, "{method} {query} {header}");
        }
    }
}

//! No secret stays, whichever part of a request or an answer repeats it; all else stays.

use super::*;

#[test]
fn no_secret_of_a_request_or_an_answer_stays() {
    for (text, kept) in [
        // URLs.
        ("GET https://h/b/k?X-Amz-Signature=hunter2 in 1ms", "https://h/b/k?*** in 1ms"),
        ("(https://acct.blob.host/c/k?sv=1&sig=hunter2%3D&se=2): no", "/c/k?***): no"),
        ("connect s3://id:hunter2@bucket/t failed", "s3://***@bucket/t failed"),
        ("connect https://hunter2@host/x", "https://***@host/x"),
        ("abfss://c:hunter2@acct.dfs.core.windows.net/t", "***@acct.dfs"),
        ("url (http://proxy/r?u=https://h/k?sig=hunter2)", "http://proxy/r?***)"),
        // Headers.
        ("authorization: Bearer hunter2hunter2hunter2", "authorization: ***"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=hunter2/20260101/eu/s3/aws4_request, \
             SignedHeaders=host, Signature=hunter2",
            "Authorization: ***",
        ),
        ("sent Bearer hunter2hunter2hunter2 twice", "sent Bearer *** twice"),
        ("SharedKey account:hunter2hunter2=", "SharedKey ***"),
        ("x-amz-security-token: hunter2", "x-amz-security-token: ***"),
        ("x-ms-encryption-key:hunter2", "x-ms-encryption-key:***"),
        ("Set-Cookie: id=hunter2; Path=/", "Set-Cookie: ***"),
        // Bodies.
        ("<StringToSign>PUT\n\nhunter2</StringToSign> bad", "bad"),
        ("<Message>no</Message><StringToSign>hunter2", "<Message>no</Message>"),
        ("<AWSAccessKeyId>hunter2</AWSAccessKeyId>", "<AWSAccessKeyId>***"),
        ("{\"access_token\":\"hunter2\",\"expires_in\":1}", "\"expires_in\":1"),
        ("{'refresh_token': 'hunter2'}", "refresh_token"),
        ("AccountName=a;AccountKey=hunter2==;Endpoint=b", "Endpoint=b"),
        ("grant_type=x&client_secret=hunter2&scope=y", "&scope=y"),
        ("aws_session_token = \"hunter2\" is wrong", "is wrong"),
    ] {
        let clean = redact(text);
        assert!(!clean.contains("hunter2"), "{text}: {clean}");
        assert!(clean.contains(kept), "{text}: {clean}");
        assert_eq!(redact(&clean), clean, "redacting again changes nothing");
    }
    for (text, wanted) in [
        ("cannot read s3://id:key@bucket/t: denied", "cannot read s3://***@bucket/t: denied"),
        ("GET \"https://h/p?sig=abc&x=1\" failed", "GET \"https://h/p?***\" failed"),
        ("a (http://u:p@h), s3://b/k", "a (http://***@h), s3://b/k"),
    ] {
        assert_eq!(redact(text), wanted);
    }
    for text in ["the key AKIAIOSFODNN7EXAMPLE is unknown", "got eyJhbGciOiJSUzI1NiJ9xyz"] {
        assert!(redact(text).contains(REMOVED), "{text}");
    }
}

#[test]
fn what_holds_no_secret_stays_as_it_is() {
    for text in [
        "abfss://c@acc.dfs.core.windows.net/t",
        "no uri: a?b@c",
        "connection \"c\": aws_secret_access_key_file: cannot read the file: not found",
        "connection \"c\": aws_session_token: it is set twice, under two names",
        "the token: it ended",
        "SignatureDoesNotMatch: The request signature we calculated does not match",
        "file:///data/lake/p=1/part-0.parquet",
        "cannot write p=Acme/part-0.parquet to the target: status 501: NotImplemented",
        "bearer of news",
    ] {
        assert_eq!(redact(text), text);
    }
    assert_eq!(redact_line(" a\n  b\tc "), "a b c");
}

#[test]
fn a_uri_that_is_kept_loses_its_credentials_and_nothing_else() {
    for (uri, wanted) in [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("s3://key:secret@bucket/a", "s3://bucket/a"),
        (
            "abfss://box@account.dfs.core.windows.net/t",
            "abfss://box@account.dfs.core.windows.net/t",
        ),
        ("abfss://c:secret@account.dfs.x/t", "abfss://account.dfs.x/t"),
        ("https://account.blob.x/box/t?sig=x&se=y", "https://account.blob.x/box/t"),
        ("s3://bucket/a#secret", "s3://bucket/a"),
        ("file:///data/a#b?c", "file:///data/a#b?c"),
        ("/data/a?b", "/data/a?b"),
    ] {
        assert_eq!(without_credentials(uri), wanted);
    }
}

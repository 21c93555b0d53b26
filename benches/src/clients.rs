//! Answers the requests of clients: they are counted, and faults meet some of them.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response};
use http_body::Body;

use crate::body::{Sent, Severed, receive};
use crate::content::Content;
use crate::counts::Tally;
use crate::faults::Fate;
use crate::refused::Refused;
use crate::request::Call;
use crate::s3::{self, StoreReply};
use crate::shared::{BenchStore, lock};

/// Answers a request.
///
/// # Errors
/// The connection ends in the middle of the request's body.
pub(crate) async fn answer(
    store: &BenchStore,
    request: Request<impl Body<Data = Bytes> + Unpin>,
) -> Result<Response<Sent>, Severed> {
    let (head, body) = request.into_parts();
    let call = Call::of(head);
    let tally = store.tallies.request(&call.kind());
    let fate = lock(&store.faults).next(call.has_body());
    let length = call.content_length();
    let quarters = match fate {
        Fate::Served => None,
        Fate::Cut { quarters } => Some(quarters),
        Fate::Refused => {
            // A client that was not told to send keeps its body.
            if !call.waits_to_send() {
                receive(body, length, None, &tally).await?;
            }
            return Ok(response(&call.method, Refused::SlowDown.into(), None, tally));
        }
    };
    let cut_at = |length: u64| quarters.map(|quarters| length / 4 * quarters);
    let content = receive(body, length, cut_at(length).filter(|_| length > 0), &tally).await?;
    let reply = s3::answer(&store.objects, &call, content);
    let cut_at = cut_at(reply.content.length());
    Ok(response(&call.method, reply, cut_at, tally))
}

/// The answer as it is sent.
pub(crate) fn response(
    method: &Method,
    reply: StoreReply,
    cut_at: Option<u64>,
    tally: Arc<Tally>,
) -> Response<Sent> {
    let length = reply.content.length();
    let content = if *method == Method::HEAD { Content::default() } else { reply.content };
    let mut response = Response::new(Sent::new(content, cut_at, tally));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in reply.headers {
        // Tags, dates and ranges are made of plain characters.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

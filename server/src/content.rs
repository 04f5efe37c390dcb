//! One file as an answer: conditional, ranged, streamed.
//!
//! The app's files and the weights of the models go out by the same rules of RFC 9110, written once.

use std::path::Path;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::preconditions::{RangeRequest, none_match_hits, range};

/// For what never changes under its address.
pub(crate) const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// May be stored, must be asked for again before each use.
pub(crate) const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Large enough that a 3 MB file takes few turns, small enough to be held for many clients.
const CHUNK_BYTES: usize = 1 << 17;

/// What is sent.
pub(crate) struct Content<'a> {
    pub(crate) path: &'a Path,
    pub(crate) len: u64,
    /// Strong, with its quotes.
    pub(crate) etag: &'a HeaderValue,
    pub(crate) mime: &'static str,
    pub(crate) cache: HeaderValue,
    /// Further headers of every answer, 304 too.
    pub(crate) always: HeaderMap,
    /// Further headers of answers with a body.
    pub(crate) with_body: HeaderMap,
}

/// Why it is not sent.
pub(crate) enum NotSent {
    /// RFC 9110 15.5.17, with the headers that the answer needs.
    Range(HeaderMap),
    /// It was there a moment ago.
    Gone,
}

/// The answer to a GET or HEAD for `content`.
pub(crate) async fn send(content: Content<'_>, request: &Parts) -> Result<Response, NotSent> {
    let asked = &request.headers;
    let mut headers = content.always;
    headers.insert(ETAG, content.etag.clone());
    headers.insert(CACHE_CONTROL, content.cache);

    // RFC 9110 13.2.2: If-None-Match is looked at before Range.
    let etag = content.etag.to_str().unwrap_or_default();
    if text(asked, &IF_NONE_MATCH).is_some_and(|tags| none_match_hits(tags, etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }

    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let same_file = text(asked, &IF_RANGE).is_none_or(|tag| tag == etag);
    let part = match text(asked, &RANGE) {
        // RFC 9110 14.2: Range is defined for GET only.
        Some(header) if same_file && request.method == Method::GET => range(header, content.len),
        _ => RangeRequest::Whole,
    };
    let (status, first, len) = match part {
        RangeRequest::Whole => (StatusCode::OK, 0, content.len),
        RangeRequest::Part(first, last) => {
            insert(&mut headers, CONTENT_RANGE, format!("bytes {first}-{last}/{}", content.len));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        RangeRequest::Unsatisfiable => {
            insert(&mut headers, CONTENT_RANGE, format!("bytes */{}", content.len));
            return Err(NotSent::Range(headers));
        }
    };
    headers.extend(content.with_body);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content.mime));
    insert(&mut headers, CONTENT_LENGTH, len.to_string());
    if request.method == Method::HEAD {
        return Ok((status, headers).into_response());
    }
    let reader = open(content.path, first).await.map_err(|_| NotSent::Gone)?;
    let body = Body::from_stream(ReaderStream::with_capacity(reader.take(len), CHUNK_BYTES));
    Ok((status, headers, body).into_response())
}

async fn open(path: &Path, first: u64) -> std::io::Result<tokio::fs::File> {
    let mut reader = tokio::fs::File::open(path).await?;
    if first > 0 {
        reader.seek(std::io::SeekFrom::Start(first)).await?;
    }
    Ok(reader)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Digits, spaces and slashes are always a valid header.
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(name, value);
    }
}

/// A header as text; absent where it is not.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

//! Answers for the files of the app.
//!
//! Every file goes out with a strong ETag; files with a hash in their name are kept for ever, all others
//! are asked for again each time, so that a new build shows at the next visit.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::RouteLabel;
use crate::listing::{Asset, Encoded};
use crate::preconditions::{RangeRequest, accepts_brotli, none_match_hits, range};
use crate::site::Site;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// May be stored, must be asked for again before each use.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Large enough that a 3 MB file takes few turns, small enough to be held for many clients.
const CHUNK_BYTES: usize = 1 << 17;

/// Everything that is no route of the API.
pub(crate) async fn serve(State(site): State<Arc<Site>>, request: Request<Body>) -> Response {
    // The body is dropped unread.
    let (request, _) = request.into_parts();
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let allow = [(ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "Only GET and HEAD are answered here.\n")
            .into_response();
    }
    let Some(path) = clean_path(request.uri.path()) else { return not_found() };
    let wanted = if path.is_empty() { "index.html".to_owned() } else { path };

    let mut listing = site.current();
    // Twice: a file that changed on disc means that the app was built anew.
    for _ in 0..2 {
        let Some(asset) = find(&listing.files, &wanted, &request.headers) else { return not_found() };
        let file = choose(asset, &request.headers);
        if file.unchanged().await {
            return send(asset, file, &request).await;
        }
        match site.reread(&listing).await {
            Some(fresh) => listing = fresh,
            None => break,
        }
    }
    let again = [(RETRY_AFTER, HeaderValue::from_static("2"))];
    (StatusCode::SERVICE_UNAVAILABLE, again, "The app is being built. Try again in a moment.\n")
        .into_response()
}

/// The path as listed, or `None` for one that no page of ours ever asks for.
fn clean_path(raw: &str) -> Option<String> {
    let path = percent_decode_str(raw).decode_utf8().ok()?;
    let path = path.strip_prefix('/')?;
    let odd = |part: &str| part == "." || part == ".." || part.contains(['\\', '\0', '%']);
    if !path.is_empty() && path.trim_end_matches('/').split('/').any(|part| part.is_empty() || odd(part)) {
        return None;
    }
    Some(path.to_owned())
}

fn find<'a>(
    files: &'a std::collections::HashMap<String, Asset>,
    wanted: &str,
    headers: &HeaderMap,
) -> Option<&'a Asset> {
    files.get(wanted).or_else(|| if is_navigation(wanted, headers) { files.get("index.html") } else { None })
}

/// The app routes on the client: an address that a person opened is the app's, a missing file is not.
fn is_navigation(wanted: &str, headers: &HeaderMap) -> bool {
    if wanted.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return false;
    }
    match text(headers, &HeaderName::from_static("sec-fetch-mode")) {
        Some(mode) => mode == "navigate",
        None => text(headers, &ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    }
}

/// A range is cut from the plain file: nobody can use the middle of a compressed one.
fn choose<'a>(asset: &'a Asset, headers: &HeaderMap) -> &'a Encoded {
    match &asset.brotli {
        Some(brotli)
            if !headers.contains_key(RANGE)
                && text(headers, &ACCEPT_ENCODING).is_some_and(accepts_brotli) =>
        {
            brotli
        }
        _ => &asset.plain,
    }
}

async fn send(asset: &Asset, file: &Encoded, request: &Parts) -> Response {
    let asked = &request.headers;
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, file.etag.clone());
    headers.insert(CACHE_CONTROL, if asset.hashed { FOR_EVER } else { ASK_AGAIN });
    if asset.brotli.is_some() {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    let label = RouteLabel(asset.name.clone());

    // RFC 9110 13.2.2: If-None-Match is looked at before Range.
    let etag = file.etag.to_str().unwrap_or_default();
    if text(asked, &IF_NONE_MATCH).is_some_and(|tags| none_match_hits(tags, etag)) {
        return labelled(label, (StatusCode::NOT_MODIFIED, headers).into_response());
    }

    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if asset.brotli.as_ref().is_some_and(|brotli| std::ptr::eq(brotli, file)) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    let same_file = text(asked, &IF_RANGE).is_none_or(|tag| tag == etag);
    let part = match text(asked, &RANGE) {
        // RFC 9110 14.2: Range is defined for GET only.
        Some(header) if same_file && request.method == Method::GET => range(header, file.len),
        _ => RangeRequest::Whole,
    };
    let (status, first, len) = match part {
        RangeRequest::Whole => (StatusCode::OK, 0, file.len),
        RangeRequest::Part(first, last) => {
            insert(&mut headers, CONTENT_RANGE, format!("bytes {first}-{last}/{}", file.len));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        RangeRequest::Unsatisfiable => {
            headers.remove(CONTENT_TYPE);
            insert(&mut headers, CONTENT_RANGE, format!("bytes */{}", file.len));
            return labelled(label, (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    insert(&mut headers, CONTENT_LENGTH, len.to_string());
    if request.method == Method::HEAD {
        return labelled(label, (status, headers).into_response());
    }
    match open(file, first).await {
        Ok(reader) => {
            let body = Body::from_stream(ReaderStream::with_capacity(reader.take(len), CHUNK_BYTES));
            labelled(label, (status, headers, body).into_response())
        }
        // It was there a moment ago.
        Err(_) => labelled(label, not_found()),
    }
}

async fn open(file: &Encoded, first: u64) -> std::io::Result<tokio::fs::File> {
    let mut reader = tokio::fs::File::open(&file.path).await?;
    if first > 0 {
        reader.seek(std::io::SeekFrom::Start(first)).await?;
    }
    Ok(reader)
}

fn not_found() -> Response {
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::NOT_FOUND, headers, "There is no such file. Start at /.\n").into_response()
}

fn labelled(label: RouteLabel, mut response: Response) -> Response {
    response.extensions_mut().insert(label);
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Digits, spaces and slashes are always a valid header.
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

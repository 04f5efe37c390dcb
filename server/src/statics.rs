//! Answers for the files of the app.
//!
//! Every file goes out with a strong ETag; files with a hash in their name are kept for ever, all others
//! are asked for again each time, so that a new build shows at the next visit.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, RANGE, RETRY_AFTER, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use crate::RouteLabel;
use crate::content::{self, ASK_AGAIN, Content, FOR_EVER, NotSent, text};
use crate::listing::{Asset, Encoded};
use crate::preconditions::accepts_brotli;
use crate::site::Site;

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
    let (mut always, mut with_body) = (HeaderMap::new(), HeaderMap::new());
    if asset.brotli.is_some() {
        always.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if asset.brotli.as_ref().is_some_and(|brotli| std::ptr::eq(brotli, file)) {
        with_body.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    let content = Content {
        path: &file.path,
        len: file.len,
        etag: &file.etag,
        mime: asset.mime,
        cache: if asset.hashed { FOR_EVER } else { ASK_AGAIN },
        always,
        with_body,
    };
    let mut response = match content::send(content, request).await {
        Ok(response) => response,
        Err(NotSent::Range(headers)) => (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response(),
        Err(NotSent::Gone) => not_found(),
    };
    response.extensions_mut().insert(RouteLabel(asset.name.clone()));
    response
}

fn not_found() -> Response {
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::NOT_FOUND, headers, "There is no such file. Start at /.\n").into_response()
}

//! What goes over the wire, from a real server on a loopback port.
//!
//! Each guard has a test that fails without it: the traversal tests plant a file outside and a link to it.

mod common;

use common::{INDEX, Running, SCRIPT, WASM};

/// Successes, errors, API and files alike.
const EVERY_KIND_OF_REPLY: [(&str, &str, u16); 8] = [
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/app-0123456789abcdef_bg.wasm", 200),
    ("GET", "/nowhere.js", 404),
    ("POST", "/", 405),
    ("GET", "/api/health", 200),
    ("GET", "/api/nothing", 404),
    ("DELETE", "/api/health", 405),
];

#[tokio::test]
async fn every_reply_carries_every_security_header() {
    let server = Running::start().await;
    for (method, path, status) in EVERY_KIND_OF_REPLY {
        let reply = server.send(method, path, &[]).await;
        assert_eq!(reply.status, status, "{method} {path}");
        for (name, value) in server::SECURITY_HEADERS {
            assert_eq!(reply.header(name), value, "{name} of {method} {path}");
        }
        assert!(
            reply.header("content-security-policy").starts_with("default-src 'none'; "),
            "{method} {path}"
        );
    }
    // Spelt out, so that an edit of the constant shows here.
    let reply = server.get("/").await;
    assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(reply.header("cross-origin-embedder-policy"), "require-corp");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert!(reply.header("permissions-policy").contains("camera=(), "));
}

#[tokio::test]
async fn the_policy_is_strict_and_knows_the_inline_script() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let server = Running::start().await;
    let reply = server.get("/").await;
    let policy: Vec<&str> = reply.header("content-security-policy").split("; ").collect();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(SCRIPT));
    assert_eq!(
        policy,
        [
            "default-src 'none'",
            &format!("script-src 'self' 'wasm-unsafe-eval' 'sha256-{hash}'"),
            "worker-src 'self'",
            "connect-src 'self'",
            "img-src 'self' blob: data:",
            "style-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    );
}

#[tokio::test]
async fn types_and_lifetimes_by_kind_of_file() {
    const ASK_AGAIN: &str = "no-cache";
    const FOR_EVER: &str = "public, max-age=31536000, immutable";
    let server = Running::start().await;
    for (path, mime, lifetime) in [
        ("/", "text/html; charset=utf-8", ASK_AGAIN),
        ("/index.html", "text/html; charset=utf-8", ASK_AGAIN),
        ("/app-0123456789abcdef.js", "text/javascript; charset=utf-8", FOR_EVER),
        ("/app-0123456789abcdef_bg.wasm", "application/wasm", FOR_EVER),
        ("/app-fedcba9876543210.css", "text/css; charset=utf-8", FOR_EVER),
        ("/sw.js", "text/javascript; charset=utf-8", ASK_AGAIN),
        ("/manifest.webmanifest", "application/manifest+json", ASK_AGAIN),
        ("/icons/isocenter.svg", "image/svg+xml", ASK_AGAIN),
        ("/icons/isocenter-192.png", "image/png", ASK_AGAIN),
        ("/samples/cardiac-ct.zip", "application/zip", ASK_AGAIN),
        ("/precache.json", "application/json", ASK_AGAIN),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, mime), "{path}");
        assert_eq!(reply.header("cache-control"), lifetime, "{path}");
        assert_eq!(reply.header("content-length"), reply.body.len().to_string(), "{path}");
    }
    assert_eq!(server.get("/").await.text(), INDEX);
}

#[tokio::test]
async fn a_missing_file_is_no_page_but_a_persons_address_is() {
    let server = Running::start().await;
    let navigating = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let fetching = [("sec-fetch-mode", "cors"), ("accept", "text/html")];
    assert_eq!(server.send("GET", "/self-check", &navigating).await.text(), INDEX);
    assert_eq!(server.send("GET", "/self-check?backend=cpu", &[("accept", "text/html")]).await.text(), INDEX);
    assert_eq!(server.send("GET", "/self-check", &fetching).await.status, 404);
    assert_eq!(server.send("GET", "/self-check", &[("accept", "*/*")]).await.status, 404);
    assert_eq!(server.send("GET", "/app-aaaaaaaaaaaaaaaa_bg.wasm", &navigating).await.status, 404);
    assert_eq!(server.send("GET", "/api/typo", &navigating).await.header("content-type"), "application/json");
    let missing = server.get("/nowhere.js").await;
    assert_eq!((missing.status, missing.header("cache-control")), (404, "no-store"));
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_outside_of_the_app_is_ever_sent() {
    let server = Running::start_with(|folder| {
        let outside = folder.join("secret.txt");
        std::os::unix::fs::symlink(outside, folder.join("dist/link.txt")).expect("link");
        std::os::unix::fs::symlink(folder, folder.join("dist/up")).expect("link");
    })
    .await;
    assert!(server.folder.path().join("dist/link.txt").exists(), "the trap is set");
    for path in [
        "/../secret.txt",
        "/icons/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e/secret.txt",
        "/icons/%2e%2e/%2e%2e/secret.txt",
        "/./../secret.txt",
        "//secret.txt",
        "/link.txt",
        "/up/secret.txt",
        "/.stage/half-built.html",
        "/sw.js%00.html",
        "/%ff%fe",
        "/%",
    ] {
        // As a navigation too: such a path must not even get the page.
        for headers in [&[][..], &[("sec-fetch-mode", "navigate"), ("accept", "text/html")]] {
            let reply = server.send("GET", path, headers).await;
            assert!(!reply.text().contains("outside") && !reply.text().contains("hidden"), "{path}");
            assert!(matches!(reply.status, 400 | 404), "{path} gave {}", reply.status);
        }
    }
}

#[tokio::test]
async fn head_says_what_get_says_without_the_body() {
    let server = Running::start().await;
    for path in ["/", "/samples/cardiac-ct.zip", "/app-0123456789abcdef_bg.wasm", "/api/health"] {
        let get = server.get(path).await;
        let head = server.send("HEAD", path, &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["content-length", "content-type", "etag", "cache-control", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_the_allowed_ones() {
    let server = Running::start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let reply = server.send(method, "/", &[]).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn ranges_cut_the_plain_file() {
    let server = Running::start().await;
    let zip = "/samples/cardiac-ct.zip";
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-1", 206, "9", "bytes 9-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=0-1,4-5", 200, "0123456789", ""),
        ("words=0-1", 200, "0123456789", ""),
    ] {
        let reply = server.send("GET", zip, &[("range", range)]).await;
        assert_eq!(
            (reply.status, reply.text(), reply.header("content-range")),
            (status, body, content_range)
        );
        assert_eq!(reply.header("content-length"), body.len().to_string(), "{range}");
    }
    // A range of a file that is also there compressed is a range of the file itself.
    let both = [("range", "bytes=0-3"), ("accept-encoding", "br")];
    let reply = server.send("GET", &format!("/{WASM}"), &both).await;
    assert_eq!((reply.status, &reply.body[..], reply.header("content-encoding")), (206, &b"\0asm"[..], ""));

    let etag = server.get(zip).await.header("etag").to_owned();
    let same = [("range", "bytes=0-1"), ("if-range", etag.as_str())];
    assert_eq!(server.send("GET", zip, &same).await.status, 206);
    let changed = [("range", "bytes=0-1"), ("if-range", "\"another\"")];
    assert_eq!(server.send("GET", zip, &changed).await.text(), "0123456789");
    assert_eq!(server.send("HEAD", zip, &[("range", "bytes=0-1")]).await.status, 200);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let server = Running::start().await;
    let first = server.get("/").await;
    let etag = first.header("etag").to_owned();
    assert!(etag.len() > 10 && etag.starts_with('"'), "{etag}");
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let reply = server.send("GET", "/", &[("if-none-match", &tags)]).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{tags}");
        assert_eq!((reply.header("etag"), reply.header("cache-control")), (etag.as_str(), "no-cache"));
    }
    assert_eq!(server.send("GET", "/", &[("if-none-match", "\"x\"")]).await.status, 200);
}

#[tokio::test]
async fn compressed_files_go_to_those_who_can_read_them() {
    let server = Running::start().await;
    let path = format!("/{WASM}");
    let plain = server.get(&path).await;
    let brotli = server.send("GET", &path, &[("accept-encoding", "gzip, deflate, br")]).await;
    assert_eq!((plain.header("content-encoding"), brotli.header("content-encoding")), ("", "br"));
    assert_eq!(brotli.body, b"not really brotli, but other bytes");
    assert_eq!(
        (brotli.header("content-type"), brotli.header("vary")),
        ("application/wasm", "accept-encoding")
    );
    assert_eq!(plain.header("vary"), "accept-encoding");
    // RFC 9110 8.8.3.3: the two encodings must not share a strong tag.
    assert_ne!(plain.header("etag"), brotli.header("etag"));
    let refused = server.send("GET", &path, &[("accept-encoding", "br;q=0")]).await;
    assert_eq!(refused.header("content-encoding"), "");
}

#[tokio::test]
async fn a_compressed_file_older_than_its_original_is_left_over_and_not_sent() {
    let server = Running::start_with(|folder| {
        let br = std::fs::File::options()
            .write(true)
            .open(folder.join("dist").join(format!("{WASM}.br")))
            .expect("opens");
        br.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("sets the time");
    })
    .await;
    let reply = server.send("GET", &format!("/{WASM}"), &[("accept-encoding", "br")]).await;
    assert_eq!((reply.header("content-encoding"), &reply.body[..4]), ("", &b"\0asm"[..]));
}

#[tokio::test]
async fn a_new_build_is_served_without_a_restart_and_with_its_own_policy() {
    let server = Running::start().await;
    let old = server.get("/").await;
    let rebuilt = "<!doctype html><script>another()</script>";
    std::fs::write(server.folder.path().join("dist/index.html"), rebuilt).expect("file");
    let new = server.get("/").await;
    assert_eq!(new.text(), rebuilt);
    assert_ne!(old.header("content-security-policy"), new.header("content-security-policy"));
    assert_ne!(old.header("etag"), new.header("etag"));

    std::fs::remove_file(server.folder.path().join("dist/index.html")).expect("removes");
    let half = server.get("/").await;
    assert_eq!((half.status, half.header("retry-after")), (503, "2"));
}

//! The API of a real server, and how it starts, logs and stops.
//!
//! Beside the tests of the files, because these plant faults in the models' folder and in the process.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Running, config, write_app};
use contract::api::{ApiError, Health, HealthStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn health_names_the_version() {
    let server = Running::start().await;
    let reply = server.get("/api/health?probe=1").await;
    let health: Health = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(health, Health { status: HealthStatus::Ok, version: env!("CARGO_PKG_VERSION").into() });
    assert_eq!(
        (reply.header("content-type"), reply.header("cache-control")),
        ("application/json", "no-store")
    );
    assert!(reply.text().starts_with(r#"{"status":"ok","version":"#), "{}", reply.text());
}

#[tokio::test]
async fn an_unknown_endpoint_is_a_json_404_that_repeats_nothing() {
    let server = Running::start().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/models/manifest/DOE", "/api/health/"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, "application/json"), "{path}");
        let error: ApiError = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(error.error.code, "unknown_endpoint");
        assert!(error.error.message.contains("GET /api/health"), "{}", error.error.message);
        assert!(!reply.text().contains("DOE") && !reply.text().contains("nothing"));
    }
    let reply = server.send("POST", "/api/models/manifest", &[]).await;
    let error: ApiError = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, error.error.code.as_str()), (405, "wrong_method"));
}

#[tokio::test]
async fn a_server_without_models_has_an_empty_manifest() {
    let server = Running::start().await;
    let reply = server.get("/api/models/manifest").await;
    assert_eq!((reply.status, reply.text()), (200, r#"{"schema_version":2,"models":[]}"#));
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let server = Running::start().await;
    let second = server::Config { addr: server.addr, ..config(server.folder.path()) };
    let error = server::Server::bind(second).await.err().expect("the port is taken");
    let told = error.to_string();
    assert!(matches!(error, server::ServeError::PortInUse { .. }));
    assert!(told.contains(&format!("port {} of 127.0.0.1 is in use", server.addr.port())), "{told}");
    assert!(told.contains("--addr"), "{told}");
}

#[tokio::test]
async fn without_an_app_or_with_a_file_for_a_folder_it_does_not_start() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let error = server::Server::bind(config(folder.path())).await.err().expect("no app");
    assert!(error.to_string().contains("cargo xtask build"), "{error}");
    write_app(&folder.path().join("dist"));
    std::fs::write(folder.path().join("models"), "a file").expect("file");
    let error = server::Server::bind(config(folder.path())).await.err().expect("not a folder");
    assert!(error.to_string().contains("--models must name a folder"), "{error}");
}

#[tokio::test]
async fn stopping_lets_a_running_reply_end() {
    const LEN: usize = 20_000_000;
    let server = Running::start_with(|folder| {
        std::fs::write(folder.join("dist/samples/large.zip"), vec![7; LEN]).expect("file");
    })
    .await;
    let mut socket = tokio::net::TcpStream::connect(server.addr).await.expect("connects");
    socket
        .write_all(b"GET /samples/large.zip HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .expect("sends");
    let mut first = [0; 1000];
    socket.read_exact(&mut first).await.expect("has begun");
    let addr = server.addr;
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.expect("ends");
    assert!(first.len() + rest.len() > LEN, "only {} bytes came", first.len() + rest.len());
    stopping.await.expect("no panic").expect("stops cleanly");
    tokio::net::TcpStream::connect(addr).await.expect_err("nobody listens any more");
}

#[tokio::test]
async fn a_client_that_never_reads_cannot_hold_the_server() {
    let server = Running::start_with(|folder| {
        std::fs::write(folder.join("dist/samples/large.zip"), vec![7; 20_000_000]).expect("file");
    })
    .await;
    let mut socket = tokio::net::TcpStream::connect(server.addr).await.expect("connects");
    socket.write_all(b"GET /samples/large.zip HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    let mut first = [0; 10];
    socket.read_exact(&mut first).await.expect("has begun");
    let started = std::time::Instant::now();
    server.stop().await.expect("stops");
    assert!(started.elapsed() < Duration::from_secs(8), "took {:?}", started.elapsed());
    assert!(started.elapsed() > Duration::from_secs(4), "the test's client did not hold it");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One thread, so that the subscriber of this test sees the server's events.
#[tokio::test(flavor = "current_thread")]
async fn the_log_names_routes_and_nothing_that_a_client_wrote() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Running::start().await;
    for path in ["/DOE%5EJOHN?name=DOE", "/api/DOE", "/sw.js?DOE", "/api/health?DOE"] {
        server.send("GET", path, &[("sec-fetch-mode", "navigate"), ("x-name", "DOE")]).await;
    }
    server.send("DOE", "/", &[]).await;
    let log = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("answered")).collect();
    assert_eq!(ours.len(), 5, "one line per request: {log}");
    for expected in ["index.html", "/api/*", "sw.js", "/api/health"] {
        assert!(ours.iter().any(|line| line.contains(expected)), "no {expected} in {ours:?}");
    }
    assert!(!ours.iter().any(|line| line.contains("DOE")), "{ours:?}");
}

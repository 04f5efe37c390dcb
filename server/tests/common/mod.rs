//! A real server on a loopback port, and a client that sends exactly what a test writes.
//!
//! The client is a bare socket: every HTTP library tidies `..` away before an attack leaves the machine.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const SCRIPT: &str = "\nimport init from '/app-0123456789abcdef.js';\ninit();\n";
pub const INDEX: &str = "<!doctype html><script type=\"module\">\nimport init from '/app-0123456789abcdef.js';\ninit();\n</script><body></body>";
pub const WASM: &str = "app-0123456789abcdef_bg.wasm";

pub struct Running {
    pub addr: SocketAddr,
    pub folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), server::ServeError>>,
}

/// Not a default of the tests alone: these are the kinds of file that a build leaves.
pub fn write_app(dist: &Path) {
    let put = |name: &str, bytes: &[u8]| {
        let path = dist.join(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folder");
        std::fs::write(path, bytes).expect("file");
    };
    put("index.html", INDEX.as_bytes());
    put("app-0123456789abcdef.js", b"export default () => {};");
    put(WASM, b"\0asm\x01\0\0\0 the plain module");
    put(&format!("{WASM}.br"), b"not really brotli, but other bytes");
    put("app-fedcba9876543210.css", b"body { margin: 0 }");
    put("sw.js", b"// worker");
    put("manifest.webmanifest", b"{}");
    put("icons/isocenter.svg", b"<svg/>");
    put("icons/isocenter-192.png", b"\x89PNG");
    put("samples/cardiac-ct.zip", b"0123456789");
    put("precache.json", b"[]");
    put(".stage/half-built.html", b"hidden");
}

pub fn config(folder: &Path) -> server::Config {
    server::Config {
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        dist: folder.join("dist"),
        models: vec![folder.join("models"), folder.join("bundled")],
        data: folder.join("data"),
    }
}

impl Running {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// `prepare` may change the folder before the server sees it.
    pub async fn start_with(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        write_app(&folder.path().join("dist"));
        std::fs::write(folder.path().join("secret.txt"), "outside of the app").expect("file");
        prepare(folder.path());
        let server = server::Server::bind(config(folder.path())).await.expect("binds");
        let addr = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { addr, folder, stop: Some(stop), task }
    }

    pub async fn stop(mut self) -> Result<(), server::ServeError> {
        self.stop.take().expect("not stopped yet").send(()).expect("still runs");
        self.task.await.expect("does not panic")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[]).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.addr);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "\r\n";
        let mut socket = TcpStream::connect(self.addr).await.expect("connects");
        socket.write_all(request.as_bytes()).await.expect("sends");
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.expect("receives");
        Reply::parse(&bytes)
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a header block");
        let head = std::str::from_utf8(&bytes[..end]).expect("text");
        let mut lines = head.split("\r\n");
        let status = lines.next().expect("status line").split(' ').nth(1).expect("status");
        let mut headers = HashMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").expect("header");
            assert!(headers.insert(name.to_owned(), value.to_owned()).is_none(), "{name} is sent twice");
        }
        assert!(!headers.contains_key("transfer-encoding"), "a file's length is known");
        Self { status: status.parse().expect("number"), headers, body: bytes[end + 4..].to_vec() }
    }

    /// Empty when absent: no header of ours is ever empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

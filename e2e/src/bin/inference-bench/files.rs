//! Serves the page of the comparison: folders under prefixes, on a free loopback port.
//!
//! Not the app's server: its policy forbids what onnxruntime-web needs, and should.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};

/// Starts serving and returns the port; ends with the process.
pub fn serve(folders: Vec<(&'static str, PathBuf)>) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folders = folders.clone();
            // A browser that goes away in the middle of a file is no fault of ours.
            std::thread::spawn(move || drop(answer(stream, &folders)));
        }
    });
    Ok(port)
}

fn find(path: &str, folders: &[(&str, PathBuf)]) -> Option<PathBuf> {
    let (prefix, folder) = folders.iter().find(|(prefix, _)| path.starts_with(prefix))?;
    let rest = Path::new(&path[prefix.len()..]);
    rest.components().all(|part| matches!(part, Component::Normal(_))).then(|| folder.join(rest))
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn answer(stream: TcpStream, folders: &[(&str, PathBuf)]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let path = if path == "/" { "/index.html" } else { path };
    let found = find(path, folders).and_then(|file| Some((kind(&file), std::fs::read(file).ok()?)));
    let mut stream = reader.into_inner();
    let (status, kind, body) = match found {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", b"not here".to_vec()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

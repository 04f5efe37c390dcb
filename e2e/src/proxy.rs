//! A proxy that sees every request the browser makes.
//!
//! The page's own instruments cannot see what a worker, a service worker or a beacon sends. All traffic of the
//! browser, loopback included, is sent through here; only our server can be reached.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::Error;
use crate::http::header;

/// A request that left the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, ...
    pub method: String,
    /// Absolute for plain requests, `host:port` for `CONNECT`.
    pub target: String,
}

impl Seen {
    /// Whether the browser itself asks its maker, not the page: those hosts are out of the page's reach, as
    /// `connect-src 'self'` and the test of its violations show.
    fn is_browser_noise(&self) -> bool {
        const MAKER: &[&str] =
            &["google.com", "googleapis.com", "gvt1.com", "gstatic.com", "google-analytics.com"];
        let host = self.target.trim_start_matches("http://").split(['/', ':']).next().unwrap_or_default();
        MAKER.iter().any(|m| host == *m || host.ends_with(&format!(".{m}")))
    }
}

/// Listens until the process ends.
pub struct Proxy {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy to the server at `server_port`.
    pub fn start(server_port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let cut = Arc::new(AtomicBool::new(false));
        let (list, is_cut) = (seen.clone(), cut.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (list, is_cut) = (list.clone(), is_cut.clone());
                std::thread::spawn(move || {
                    // A dropped connection is the browser's business; it shows as a failed request there.
                    let _ = serve(stream, server_port, &list, &is_cut);
                });
            }
        });
        Ok(Self { port, seen, cut })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far, without what the browser asks its maker.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .map(|s| s.iter().filter(|s| !s.is_browser_noise()).cloned().collect())
            .unwrap_or_default()
    }

    /// From now on every connection is dropped, as without a network.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

fn serve(
    browser: TcpStream,
    server_port: u16,
    seen: &Mutex<Vec<Seen>>,
    cut: &AtomicBool,
) -> std::io::Result<()> {
    let mut from_browser = BufReader::new(browser.try_clone()?);
    let mut server: Option<TcpStream> = None;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from_browser.read_line(&mut head)? == 0 {
                if let Some(server) = server {
                    let _ = server.shutdown(Shutdown::Both);
                }
                return Ok(());
            }
        }
        let mut words = head.split(' ');
        let (method, target) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        if let Ok(mut list) = seen.lock() {
            list.push(Seen { method: method.clone(), target: target.clone() });
        }
        let ours = format!("http://127.0.0.1:{server_port}/");
        let path = target.strip_prefix(&ours);
        let (Some(path), false) = (path, cut.load(Ordering::SeqCst)) else {
            return browser.shutdown(Shutdown::Both);
        };
        if server.is_none() {
            let upstream = match TcpStream::connect(("127.0.0.1", server_port)) {
                Ok(upstream) => upstream,
                Err(_) => return browser.shutdown(Shutdown::Both),
            };
            upstream.set_nodelay(true)?;
            let (mut from_server, mut to_browser) = (upstream.try_clone()?, browser.try_clone()?);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_server, &mut to_browser);
                let _ = to_browser.shutdown(Shutdown::Both);
            });
            server = Some(upstream);
        }
        if let Some(server) = server.as_mut() {
            // Origin form, as a server without a proxy sees it.
            let rest = head.split_once('\n').map_or("", |(_, rest)| rest);
            write!(server, "{method} /{path} HTTP/1.1\r\n{rest}")?;
            let length = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
            std::io::copy(&mut from_browser.by_ref().take(length), server)?;
        }
    }
}

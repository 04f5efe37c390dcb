//! A DevTools connection to the whole browser, for what ChromeDriver cannot reach: workers.
//!
//! As much of RFC 6455 as Chromium's loopback port needs: one connection, text frames, masked from our side.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Error;

/// An open connection.
pub struct DevTools {
    stream: BufReader<TcpStream>,
    next_id: u64,
}

/// Frame types (RFC 6455 5.2).
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;

impl DevTools {
    /// Connects to a browser's debugging address (`127.0.0.1:port`).
    pub fn connect(address: &str) -> Result<Self, Error> {
        let port = address.rsplit(':').next().and_then(|p| p.parse().ok());
        let port = port.ok_or_else(|| Error::Answer(format!("`{address}` has no port")))?;
        let (_, version) = crate::http::json(port, "GET", "/json/version", None, Duration::from_secs(10))?;
        let url = version["webSocketDebuggerUrl"].as_str().unwrap_or_default();
        let path = url
            .strip_prefix(&format!("ws://{address}"))
            .ok_or_else(|| Error::Answer(format!("{url} is no address")))?;

        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        // The key only proves that the other side speaks WebSocket, which we know.
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )?;
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                break;
            }
        }
        if !head.starts_with("HTTP/1.1 101") {
            return Err(Error::Answer(head.lines().next().unwrap_or_default().to_owned()));
        }
        Ok(Self { stream, next_id: 0 })
    }

    fn send(&mut self, text: &str) -> Result<(), Error> {
        // FIN and the type; the mask bit with the length. A mask of zeros leaves the text as it is.
        let mut frame = vec![0x80 | TEXT];
        match text.len() {
            n @ 0..=125 => frame.push(0x80 | n as u8),
            n @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.get_mut().write_all(&frame)?;
        Ok(())
    }

    fn receive(&mut self) -> Result<Value, Error> {
        let mut message = Vec::new();
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let length = match head[1] & 0x7f {
                126 => {
                    let mut n = [0; 2];
                    self.stream.read_exact(&mut n)?;
                    u64::from(u16::from_be_bytes(n))
                }
                127 => {
                    let mut n = [0; 8];
                    self.stream.read_exact(&mut n)?;
                    u64::from_be_bytes(n)
                }
                n => u64::from(n),
            };
            self.stream.by_ref().take(length).read_to_end(&mut message)?;
            if head[0] & 0x0f == CLOSE {
                return Err(Error::Answer("the browser closed the connection".into()));
            }
            if head[0] & 0x80 != 0 {
                return serde_json::from_slice(&message).map_err(|e| Error::Answer(e.to_string()));
            }
        }
    }

    /// Sends a command and waits for its answer; events between are passed over.
    pub fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Error> {
        self.next_id += 1;
        let id = self.next_id;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        self.send(&command.to_string())?;
        loop {
            let mut answer = self.receive()?;
            if answer["id"] == id {
                if let Some(message) = answer["error"]["message"].as_str() {
                    return Err(Error::Refused { command: method.to_owned(), message: message.to_owned() });
                }
                return Ok(answer["result"].take());
            }
        }
    }

    /// Bytes of WebAssembly memory of each page and dedicated worker: target type, bytes. A memory never
    /// shrinks, so what it is now is also its peak.
    pub fn wasm_bytes(&mut self) -> Result<Vec<(String, u64)>, Error> {
        let targets = self.call(None, "Target.getTargets", json!({ "filter": [{}] }))?;
        let mut bytes = Vec::new();
        for target in targets["targetInfos"].as_array().into_iter().flatten() {
            let kind = target["type"].as_str().unwrap_or_default();
            if !matches!(kind, "page" | "worker") {
                continue;
            }
            let attach = json!({ "targetId": target["targetId"], "flatten": true });
            let session = self.call(None, "Target.attachToTarget", attach)?;
            let session = session["sessionId"].as_str().map(str::to_owned);
            let session = session.as_deref();
            let prototype = self.call(
                session,
                "Runtime.evaluate",
                json!({ "expression": "WebAssembly.Memory.prototype" }),
            )?;
            let of = json!({ "prototypeObjectId": prototype["result"]["objectId"] });
            let memories = self.call(session, "Runtime.queryObjects", of)?;
            let sum = json!({
                "objectId": memories["objects"]["objectId"],
                "functionDeclaration": "function() { return this.reduce((sum, m) => sum + m.buffer.byteLength, 0) }",
                "returnByValue": true,
            });
            let sum = self.call(session, "Runtime.callFunctionOn", sum)?;
            bytes.push((kind.to_owned(), sum["result"]["value"].as_f64().unwrap_or_default() as u64));
            self.call(None, "Target.detachFromTarget", json!({ "sessionId": session }))?;
        }
        Ok(bytes)
    }
}

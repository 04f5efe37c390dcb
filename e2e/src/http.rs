//! As much HTTP as ChromeDriver's loopback port needs.
//!
//! A request per connection with a length both ways; a client crate would bring an executor and TLS for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::Error;

/// Sends `body` and returns status and parsed reply. `timeout` bounds the wait for the reply.
pub fn json(
    port: u16,
    method: &str,
    path: &str,
    body: Option<&Value>,
    timeout: Duration,
) -> Result<(u16, Value), Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        if let Some((head_len, length)) = head(&reply)?
            && reply.len() >= head_len + length
        {
            let status = String::from_utf8_lossy(&reply[..12.min(reply.len())])
                .split(' ')
                .nth(1)
                .and_then(|s| s.parse().ok())
                .ok_or_else(|| Error::Answer("no status line".into()))?;
            let value = serde_json::from_slice(&reply[head_len..head_len + length])
                .map_err(|e| Error::Answer(e.to_string()))?;
            return Ok((status, value));
        }
        match stream.read(&mut chunk)? {
            0 => return Err(Error::Answer(format!("the connection ended after {} bytes", reply.len()))),
            n => reply.extend_from_slice(&chunk[..n]),
        }
    }
}

/// Length of head and body once the head is complete.
fn head(reply: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let Some(end) = reply.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&reply[..end]);
    let length = header(&text, "content-length")
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| Error::Answer("the reply has no length".into()))?;
    Ok(Some((end + 4, length)))
}

/// Value of a header line, names compared without case.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|l| l.split_once(':'))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

//! A browser `File` as a [`Source`].
//!
//! `FileReaderSync` exists in workers only, and is why the reader can stay plain synchronous code: bytes are
//! fetched when they are asked for, so a 300-slice series never lies in memory twice.

use std::io;

use imaging::Source;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{File, FileReaderSync};

/// One received file.
#[derive(Clone)]
pub struct BrowserFile {
    path: String,
    file: File,
    len: u64,
    reader: FileReaderSync,
}

impl BrowserFile {
    /// `path` is where the file lay inside what was dropped.
    pub fn new(path: String, file: File) -> Result<Self, JsValue> {
        // `size` is a JavaScript number: exact up to 2^53 bytes.
        let len = file.size() as u64;
        Ok(Self { path, file, len, reader: FileReaderSync::new()? })
    }
}

impl Source for BrowserFile {
    fn name(&self) -> &str {
        &self.path
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let start = offset.min(self.len);
        let end = offset.saturating_add(buf.len() as u64).min(self.len);
        let bytes = self
            .file
            .slice_with_f64_and_f64(start as f64, end as f64)
            .and_then(|part| self.reader.read_as_array_buffer(&part))
            // The browser's text can hold the file's name; the user sees the ledger's line instead.
            .map_err(|_| {
                io::Error::other(
                    "the browser could not read it. It may have been moved or changed since it was dropped.",
                )
            })?;
        let bytes = Uint8Array::new(&bytes);
        let n = bytes.length() as usize;
        if n > buf.len() {
            return Err(io::Error::other("the browser returned more bytes than were asked for"));
        }
        bytes.copy_to(&mut buf[..n]);
        Ok(n)
    }
}

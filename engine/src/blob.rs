//! A browser `File` as a [`Source`].
//!
//! `FileReaderSync` exists in workers only, and is why the reader can stay plain synchronous code: bytes are
//! fetched when they are asked for, so a 300-slice series never lies in memory twice.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;

use imaging::Source;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileReaderSync};

/// How much of a file's beginning is fetched at once: a request to the browser costs a millisecond, and a header
/// is asked for in several pieces.
const HEAD_BYTES: usize = 32 << 10;

thread_local! {
    /// The beginning of the file that was read last. One, because headers are read file after file.
    static HEAD: RefCell<(u64, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
    /// Ids given out; 0 is nobody's.
    static IDS: Cell<u64> = const { Cell::new(0) };
}

/// One received file.
#[derive(Clone)]
pub struct BrowserFile {
    id: u64,
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
        let id = IDS.get() + 1;
        IDS.set(id);
        Ok(Self { id, path, file, len, reader: FileReaderSync::new()? })
    }

    /// Asks the browser.
    fn fetch(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
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

/// Beginnings of files on their way from the browser: several at a time, because each request waits for another
/// process.
#[derive(Default)]
pub struct Ahead {
    /// In the order in which the files will be read.
    waiting: VecDeque<(u64, JsFuture)>,
    /// Files up to this one have been asked for.
    asked: u64,
}

impl Ahead {
    /// Asks for the beginnings of the files that have not been asked for. Ids grow in the order of reading.
    pub fn fetch<'a>(&mut self, next: impl Iterator<Item = &'a BrowserFile>) {
        for file in next {
            if file.id <= self.asked {
                continue;
            }
            self.asked = file.id;
            let end = file.len.min(HEAD_BYTES as u64);
            if let Ok(part) = file.file.slice_with_f64_and_f64(0.0, end as f64) {
                self.waiting.push_back((file.id, JsFuture::from(part.array_buffer())));
            }
        }
    }

    /// Waits for the beginning of this file and keeps it for [`Source::read_at`]. What cannot be had is asked for again
    /// there, and the error is told there.
    pub async fn arrival(&mut self, file: Option<&BrowserFile>) {
        let Some(file) = file else { return };
        while let Some((id, bytes)) = self.waiting.pop_front_if(|(id, _)| *id <= file.id) {
            let Ok(bytes) = bytes.await else { continue };
            if id == file.id {
                let bytes = Uint8Array::new(&bytes);
                HEAD.with_borrow_mut(|(head_id, head)| {
                    head.resize(bytes.length() as usize, 0);
                    bytes.copy_to(head);
                    *head_id = id;
                });
            }
        }
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
        let end = offset.saturating_add(buf.len() as u64);
        if end > HEAD_BYTES as u64 {
            return self.fetch(offset, buf);
        }
        HEAD.with_borrow_mut(|(id, head)| {
            if *id != self.id {
                *id = 0;
                head.resize(HEAD_BYTES, 0);
                let n = self.fetch(0, head)?;
                head.truncate(n);
                *id = self.id;
            }
            let known = head.get(offset as usize..).unwrap_or_default();
            let n = known.len().min(buf.len());
            buf[..n].copy_from_slice(&known[..n]);
            Ok(n)
        })
    }
}

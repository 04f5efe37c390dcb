//! Reading: what was dropped is scanned file after file, and ends in the catalog.
//!
//! A later request takes the place of an earlier one: only one scan is under way.

use imaging::Scanner;
use imaging::limits::Limits;
use protocol::{Event, Progress, RequestId};

use super::{Session, TELL_MS};
use crate::blob::BrowserFile;
use crate::{link, summary};

/// A scan under way.
pub(super) struct Reading {
    pub(super) request: RequestId,
    scanner: Scanner<BrowserFile>,
    started_ms: f64,
    told_ms: f64,
}

impl Session {
    pub(super) fn open(&mut self, request: RequestId, paths: Vec<String>, files: Vec<web_sys::File>) {
        let mut sources = Vec::with_capacity(files.len());
        let mut paths = paths.into_iter();
        for file in files {
            let path = paths.next().unwrap_or_else(|| file.name());
            match BrowserFile::new(path, file) {
                Ok(source) => sources.push(source),
                Err(_) => link::problem(
                    "This browser offers no FileReaderSync in workers, so files cannot be read. Update the browser.",
                ),
            }
        }
        let now = link::now_ms();
        self.reading = Some(Reading {
            request,
            scanner: Scanner::new(sources, Limits::default()),
            started_ms: now,
            told_ms: now,
        });
    }

    /// Reads one header. False: nothing is being read.
    pub(super) fn read_step(&mut self) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        let step = reading.scanner.step();
        let now = link::now_ms();
        if now - reading.told_ms > TELL_MS || step.is_none() {
            reading.told_ms = now;
            let at = reading.scanner.progress();
            let progress = Progress {
                files_done: at.files_done as u32,
                files_total: at.files_total as u32,
                bytes_done: at.bytes_done,
                bytes_total: at.bytes_total,
                seconds_left: summary::seconds_left(now - reading.started_ms, at.bytes_done, at.bytes_total),
            };
            link::send(&Event::Progress { request: reading.request, progress });
        }
        if step.is_none() {
            self.finish_reading(false);
        }
        true
    }

    /// Makes the catalog of what has been read.
    pub(super) fn finish_reading(&mut self, cancelled: bool) {
        let Some(reading) = self.reading.take() else { return };
        let catalog = reading.scanner.finish();
        let count = self.catalog.as_ref().map_or(0, |c| c.series.len()) as u32;
        self.first_id += count;
        self.loaded.clear();
        self.unpictured = (0..catalog.series.len()).filter(|i| catalog.series[*i].displayable).collect();
        self.unpictured_alone.clear();
        let listed = summary::catalog(&catalog, self.first_id);
        self.catalog = Some(catalog);
        link::send(&Event::Catalog { request: reading.request, catalog: listed, cancelled });
    }
}

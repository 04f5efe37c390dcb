//! Reading: what was dropped is scanned file after file, and ends in the catalog.
//!
//! What comes later joins what is there: a scan goes on from the catalog, so that a series whose other half is
//! dropped later becomes complete, and series that got nothing stay as they are, loaded and measured.

use imaging::limits::Limits;
use imaging::{Heir, Scanner, Thumbnail};
use protocol::{Event, Progress, RequestId, SeriesId};

use super::{Session, TELL_MS};
use crate::blob::{Ahead, BrowserFile};
use crate::canvas::Canvas;
use crate::{link, summary};

/// Beginnings of files that are asked for before they are needed. Of 1 to 32, 4 to 16 were fastest: twice as fast as
/// one after the other (300 files, Chromium, two cores).
const READ_AHEAD: usize = 8;

/// A CT slice pixel by pixel; larger pictures are sampled.
const PREVIEW_SIDE_PX: u32 = 512;

/// A scan under way.
pub(super) struct Reading {
    pub(super) request: RequestId,
    scanner: Scanner<BrowserFile>,
    ahead: Ahead,
    previewed: bool,
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
        if let Some(reading) = &mut self.reading {
            // What is being read is read to its end, and answered together.
            reading.scanner.add(sources);
            reading.request = request;
            return;
        }
        let scanner = match &self.catalog {
            Some(catalog) => Scanner::after(catalog, sources),
            None => Scanner::new(sources, Limits::default()),
        };
        let ahead = Ahead::default();
        // Whoever looks at a picture already is not interrupted.
        let previewed = self.catalog.is_some();
        self.reading = Some(Reading { request, scanner, ahead, previewed, started_ms: now, told_ms: now });
    }

    /// Reads one header. False: nothing is being read.
    pub(super) async fn read_step(&mut self) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        reading.ahead.fetch(reading.scanner.upcoming(READ_AHEAD));
        if !std::mem::replace(&mut reading.previewed, true)
            && let Some(Thumbnail { width, height, rgba }) = reading.scanner.preview(PREVIEW_SIDE_PX)
        {
            link::send(&Event::Preview { request: reading.request, width, height, rgba });
        }
        reading.ahead.arrival(reading.scanner.upcoming(1).next()).await;
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
        let heirs = match &self.catalog {
            Some(earlier) => catalog.heirs(earlier),
            None => vec![Heir::New; catalog.series.len()],
        };
        self.laying.find(&catalog);
        let (over_others, unlisted) = self.laying.rows();
        let before = std::mem::take(&mut self.ids);
        let (mut same, mut changed, mut first_new) = (Vec::new(), Vec::new(), None);
        for (index, heir) in heirs.into_iter().enumerate() {
            let id = match heir {
                Heir::Same(earlier) | Heir::Changed(earlier) => before[earlier],
                Heir::New => {
                    self.next_id += 1;
                    SeriesId(self.next_id)
                }
            };
            self.ids.push(id);
            if matches!(heir, Heir::Same(_)) {
                same.push(id);
                continue;
            }
            if matches!(heir, Heir::Changed(_)) {
                changed.push(id);
            }
            if catalog.series[index].displayable {
                if heir == Heir::New && !over_others.contains(&index) {
                    first_new = first_new.or(Some(id));
                }
                self.unpictured.retain(|waiting| *waiting != id);
                if !unlisted.contains(&index) {
                    self.unpictured.push_back(id);
                }
            }
        }
        self.unpictured_alone.retain(|id| same.contains(id));
        self.scores.keep(&same);
        self.flow.keep(&same);
        self.laying.keep(&same);
        if let Some(Canvas::Gpu(canvas)) = &mut self.canvas {
            canvas.scoring.keep(&same);
        }
        let on_screen = |id: &SeriesId| self.scene.panels.iter().any(|p| p.series == *id);
        let open: Vec<_> = changed.into_iter().filter(on_screen).collect();
        let lost = self.loaded.iter().filter(|l| !same.contains(&l.root()) && l.labelling.is_some());
        let lost: Vec<SeriesId> = lost.map(|l| l.series).collect();
        self.loaded.retain(|l| same.contains(&l.root()));
        self.catalog = Some(catalog);
        self.answered = (reading.request, cancelled);
        self.tell_catalog();
        for series in lost {
            let notice = "The series has got more slices. Its labels were of those before and are gone.";
            self.tell_labels(series, Some(notice.into()));
        }
        self.tell_orphans();
        let complete = self.loaded.iter().filter(|l| l.complete()).map(|l| l.series);
        complete.collect::<Vec<_>>().into_iter().for_each(|series| self.lay_over(series));
        // What is on the screen and has got more files is loaded again, under the same id. Of what is new, the page
        // asks for the first series; its memory is prepared while the page still writes the list.
        open.into_iter().chain(first_new).for_each(|id| self.begin(id));
    }

    /// Tells the page what there is.
    pub(super) fn tell_catalog(&self) {
        let Some(catalog) = &self.catalog else { return };
        let (request, cancelled) = self.answered;
        link::send(&Event::Catalog {
            request,
            catalog: summary::catalog(catalog, &self.ids, self.laying.found()),
            cancelled,
        });
    }
}

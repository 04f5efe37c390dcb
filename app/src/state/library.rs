//! What was opened: catalog, ledger, progress, thumbnails.
//! Separate from the workspace because reading goes on while a person works in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{Catalog, Ledger, Progress, RequestId, SeriesEntry, SeriesId};

/// A small picture, RGBA8.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

/// Reading that goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub request: RequestId,
    pub progress: Progress,
}

/// What a catalog brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// This series was not listed before, or has grown: it opens by itself.
    Open(SeriesId),
    /// Nothing but a segmentation of this series, which the engine lays over it.
    Labels(SeriesId),
    /// No picture among the files of this request: this many were listed only (duplicates, reports), or refused.
    Nothing { listed: usize, refused: usize },
    /// Nothing to be done: the list is newer, and the screen stays as it is.
    Known,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    pub catalog: Catalog,
    pub reading: Option<Reading>,
    pub cancelled: bool,
    /// Slices that have arrived, of how many.
    pub loaded: BTreeMap<SeriesId, (u32, u32)>,
    pub thumbnails: BTreeMap<SeriesId, Arc<Thumbnail>>,
    /// One slice of what is being read, until its volume is on the screen.
    pub preview: Option<Arc<Thumbnail>>,
    last_request: u32,
    /// The newest request that has been answered on the screen.
    shown_for: Option<RequestId>,
}

impl Library {
    /// A new request to read; it supersedes an earlier one.
    /// Its bytes are counted by the engine: asking a browser for the sizes of 300 files takes 40 ms.
    pub fn begin(&mut self, files: u32) -> RequestId {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        let progress = Progress { files_total: files, ..Progress::default() };
        self.reading = Some(Reading { request, progress });
        self.cancelled = false;
        self.preview = None;
        request
    }

    pub fn progress(&mut self, request: RequestId, progress: Progress) {
        if let Some(reading) = &mut self.reading
            && reading.request == request
        {
            reading.progress = progress;
        }
    }

    /// Takes a preview of what is being read.
    pub fn take_preview(&mut self, request: RequestId, picture: Thumbnail) {
        if self.reading.as_ref().is_some_and(|r| r.request == request) {
            self.preview = Some(Arc::new(picture));
        }
    }

    /// Whether every slice has arrived, so that numbers over the series are final.
    pub fn complete(&self, id: SeriesId) -> bool {
        self.loaded.get(&id).is_some_and(|(done, total)| done >= total)
    }

    /// Takes a catalog, which holds everything received so far; says what should open by itself.
    pub fn take_catalog(&mut self, request: RequestId, catalog: Catalog, cancelled: bool) -> Arrival {
        if request.0 < self.last_request {
            // A later request is being read; its catalog will say all.
            return Arrival::Known;
        }
        let before = std::mem::replace(&mut self.catalog, catalog);
        self.cancelled = cancelled;
        if self.reading.as_ref().is_some_and(|r| r.request == request) {
            self.reading = None;
        }
        if !self.series().any(|s| s.displayable) {
            self.preview = None;
        }
        let was = |s: &SeriesEntry| before.studies.iter().flat_map(|s| &s.series).find(|b| b.id == s.id);
        let grown = |s: &SeriesEntry| was(s).is_some_and(|b| (b.dims, b.instances) != (s.dims, s.instances));
        // Slices that were counted for a smaller series say nothing of it.
        let all = || self.catalog.studies.iter().flat_map(|s| &s.series);
        self.loaded.retain(|id, _| all().any(|s| s.id == *id && !grown(s)));
        self.thumbnails.retain(|id, _| all().any(|s| s.id == *id));
        if self.shown_for == Some(request) {
            return Arrival::Known;
        }
        let pictures = || all().filter(|s| s.displayable && s.labels_of.is_none());
        let labelled = all().filter(|s| was(s).is_none()).find_map(|s| s.labels_of);
        let first = pictures().find(|s| was(s).is_none()).or_else(|| pictures().find(|s| grown(s)));
        match first.map(|s| s.id) {
            Some(id) => {
                self.shown_for = Some(request);
                Arrival::Open(id)
            }
            None if cancelled => Arrival::Known,
            None if labelled.is_some() => {
                self.shown_for = Some(request);
                labelled.map_or(Arrival::Known, Arrival::Labels)
            }
            None => {
                self.shown_for = Some(request);
                let (old, new) = (&before.ledger, &self.catalog.ledger);
                Arrival::Nothing {
                    listed: new.shown.len().saturating_sub(old.shown.len()),
                    refused: new.refused.len().saturating_sub(old.refused.len()),
                }
            }
        }
    }

    /// Every series in the order of the list.
    pub fn series(&self) -> impl Iterator<Item = &SeriesEntry> {
        self.catalog.studies.iter().flat_map(|s| s.series.iter())
    }

    /// The displayable series `step` places from `from`, staying at the ends.
    pub fn neighbour(&self, from: Option<SeriesId>, step: i32) -> Option<SeriesId> {
        let pictures = self.series().filter(|s| s.displayable && s.labels_of.is_none());
        let list: Vec<SeriesId> = pictures.map(|s| s.id).collect();
        let Some(at) = from.and_then(|f| list.iter().position(|s| *s == f)) else {
            return list.first().copied();
        };
        let to = (at as i64 + i64::from(step)).clamp(0, list.len() as i64 - 1);
        list.get(to as usize).copied()
    }

    pub fn empty(&self) -> bool {
        self.catalog.studies.is_empty() && self.reading.is_none() && self.catalog.ledger.received == 0
    }

    /// Warnings of the catalog and of every series.
    pub fn warning_count(&self) -> usize {
        self.catalog.warnings.len() + self.series().map(|s| s.warnings.len()).sum::<usize>()
    }

    /// Forgets everything but the counter of requests.
    pub fn clear(&mut self) {
        *self = Self { last_request: self.last_request, ..Self::default() };
    }
}

/// Whether the ledger adds up: received = used + shown + refused.
pub fn balanced(ledger: &Ledger) -> bool {
    let listed = ledger.shown.len() as u64 + ledger.refused.len() as u64;
    u64::from(ledger.received) == u64::from(ledger.used) + listed
}

/// `4 of 300 files · 12.1 of 157 MB · 8 s left`.
pub fn progress_text(p: &Progress) -> String {
    let mut text = format!("{} of {} files", p.files_done, p.files_total);
    if p.bytes_total > 0 {
        text += &format!(" · {} of {}", bytes(p.bytes_done), bytes(p.bytes_total));
    }
    if let Some(s) = p.seconds_left.filter(|s| s.is_finite()) {
        let s = s.max(0.0).ceil() as u64;
        text += &if s >= 90 { format!(" · {} min left", s.div_ceil(60)) } else { format!(" · {s} s left") };
    }
    text
}

/// Bytes as people say them, in powers of ten.
pub fn bytes(n: u64) -> String {
    let v = n as f64;
    match n {
        0..=999 => format!("{n} B"),
        1_000..=999_999 => format!("{:.0} kB", v / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} MB", v / 1e6),
        _ => format!("{:.2} GB", v / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{LedgerLine, StudyEntry};

    fn entry(id: u32, displayable: bool) -> SeriesEntry {
        SeriesEntry {
            id: SeriesId(id),
            modality: "CT".into(),
            description: String::new(),
            number: None,
            instances: 1,
            dims: [2, 2, 2],
            time_points: 1,
            displayable,
            labels_of: None,
            warnings: vec!["w".into()],
        }
    }

    fn catalog(series: Vec<SeriesEntry>) -> Catalog {
        Catalog { studies: vec![StudyEntry { series, ..Default::default() }], ..Default::default() }
    }

    #[test]
    fn the_first_series_with_pixels_opens_once() {
        let mut l = Library::default();
        let r = l.begin(3);
        let c = catalog(vec![entry(1, false), entry(2, true), entry(3, true)]);
        assert_eq!(l.take_catalog(r, c.clone(), false), Arrival::Open(SeriesId(2)));
        assert!(l.reading.is_none());
        assert_eq!(
            l.take_catalog(r, c, false),
            Arrival::Known,
            "a second catalog does not take over the screen"
        );
        assert_eq!(l.warning_count(), 3);
    }

    #[test]
    fn a_superseded_request_is_not_listened_to() {
        let mut l = Library::default();
        let old = l.begin(1);
        let new = l.begin(2);
        assert_eq!(l.take_catalog(old, catalog(vec![entry(1, true)]), true), Arrival::Known);
        l.progress(old, Progress { files_done: 9, ..Default::default() });
        assert_eq!(l.reading.as_ref().map(|r| (r.request, r.progress.files_done)), Some((new, 0)));
    }

    #[test]
    fn what_is_added_later_opens_before_what_was_there() {
        let mut l = Library::default();
        let r = l.begin(1);
        l.take_catalog(r, catalog(vec![entry(1, true)]), false);
        l.loaded.insert(SeriesId(1), (2, 2));
        let r = l.begin(1);
        assert_eq!(
            l.take_catalog(r, catalog(vec![entry(1, true), entry(2, true)]), false),
            Arrival::Open(SeriesId(2))
        );
        assert!(l.complete(SeriesId(1)), "what was loaded is still loaded");
    }

    #[test]
    fn a_series_that_grew_opens_and_is_loaded_anew() {
        let mut l = Library::default();
        let r = l.begin(1);
        l.take_catalog(r, catalog(vec![entry(1, true), entry(2, true)]), false);
        l.loaded.extend([(SeriesId(1), (2, 2)), (SeriesId(2), (2, 2))]);
        let r = l.begin(1);
        let grown = SeriesEntry { dims: [2, 2, 4], instances: 2, ..entry(2, true) };
        assert_eq!(
            l.take_catalog(r, catalog(vec![entry(1, true), grown]), false),
            Arrival::Open(SeriesId(2))
        );
        assert_eq!((l.complete(SeriesId(1)), l.complete(SeriesId(2))), (true, false));
    }

    #[test]
    fn files_that_bring_no_picture_leave_the_screen_alone() {
        let line = |n: usize| vec![LedgerLine { file: "a".into(), reason: "b".into() }; n];
        let with = |shown, refused| Catalog {
            ledger: Ledger { received: 0, used: 0, shown: line(shown), refused: line(refused) },
            ..catalog(vec![entry(1, true)])
        };
        let mut l = Library::default();
        let r = l.begin(1);
        l.take_catalog(r, with(1, 1), false);
        let r = l.begin(3);
        assert_eq!(l.take_catalog(r, with(3, 2), false), Arrival::Nothing { listed: 2, refused: 1 });
        assert_eq!(l.take_catalog(r, with(3, 3), false), Arrival::Known, "told once");
        let r = l.begin(3);
        assert_eq!(l.take_catalog(r, with(3, 5), true), Arrival::Known, "who cancels knows why");
    }

    #[test]
    fn a_segmentation_opens_what_it_belongs_to_and_not_itself() {
        let labels = SeriesEntry { labels_of: Some(SeriesId(2)), ..entry(1, true) };
        let mut l = Library::default();
        let r = l.begin(2);
        let both = catalog(vec![labels.clone(), entry(2, true)]);
        assert_eq!(l.take_catalog(r, both.clone(), false), Arrival::Open(SeriesId(2)));
        assert_eq!(l.neighbour(Some(SeriesId(2)), -1), Some(SeriesId(2)), "keys pass it over");
        // Its images were there before.
        let mut l = Library::default();
        let r = l.begin(1);
        l.take_catalog(r, catalog(vec![entry(2, true)]), false);
        let r = l.begin(1);
        assert_eq!(l.take_catalog(r, both, false), Arrival::Labels(SeriesId(2)));
    }

    #[test]
    fn neighbours_skip_what_has_no_picture() {
        let l = Library {
            catalog: catalog(vec![entry(1, true), entry(2, false), entry(3, true)]),
            ..Library::default()
        };
        assert_eq!(l.neighbour(Some(SeriesId(1)), 1), Some(SeriesId(3)));
        assert_eq!(l.neighbour(Some(SeriesId(3)), 1), Some(SeriesId(3)));
        assert_eq!(l.neighbour(None, 1), Some(SeriesId(1)));
    }

    #[test]
    fn an_unbalanced_ledger_is_seen() {
        let line = LedgerLine { file: "a".into(), reason: "b".into() };
        let mut ledger = Ledger { received: 3, used: 1, shown: vec![line.clone()], refused: vec![line] };
        assert!(balanced(&ledger));
        ledger.used = 0;
        assert!(!balanced(&ledger));
    }

    #[test]
    fn progress_reads_well() {
        let p = Progress {
            files_done: 4,
            files_total: 300,
            bytes_done: 2_100_000,
            bytes_total: 157_286_400,
            seconds_left: Some(7.2),
        };
        assert_eq!(progress_text(&p), "4 of 300 files · 2.1 MB of 157.3 MB · 8 s left");
        let p = Progress { seconds_left: Some(100.0), ..p };
        assert!(progress_text(&p).ends_with("2 min left"));
        let p = Progress { seconds_left: None, bytes_total: 0, ..p };
        assert_eq!(progress_text(&p), "4 of 300 files");
    }
}

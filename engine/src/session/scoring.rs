//! Scoring: the newest question about a score, answered when nobody waits for a picture.
//!
//! A slider asks faster than a large volume can be scored. A newer question takes the place of one that has not
//! been taken up, so the answer is never older than one score.

use calcium::Input;
use protocol::calcium::{Format, Task};
use protocol::{Event, SeriesId};

use super::Session;
use crate::calcium::{self as scoring, Scoring};
use crate::link;

/// What is kept between two questions.
#[derive(Default)]
pub struct Scores {
    wanted: Option<(u32, Task)>,
    kept: Option<(SeriesId, Option<Scoring>)>,
}

impl Scores {
    /// Forgets candidates of series that are gone.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Session {
    /// Takes up a question.
    pub(super) fn ask_score(&mut self, query: u32, task: Task) {
        self.scores.wanted = Some((query, task));
    }

    /// Answers the newest question. False: there is none.
    pub(super) fn score_step(&mut self) -> bool {
        let Some((query, task)) = self.scores.wanted.take() else { return false };
        let series = task.series;
        let outcome = self.score(&task);
        link::send(&Event::Calcium { query, series, outcome });
        true
    }

    fn score(&mut self, task: &Task) -> Result<protocol::calcium::Table, String> {
        let at = self.position_complete(task.series)?;
        let index = self.index_of(task.series).ok_or(GONE)?;
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index)).ok_or(GONE)?;
        let loaded = &mut self.loaded[at];
        let volume = loaded.loader.volume();
        let warnings: Vec<String> = series.warnings.iter().chain(loader_warnings(loaded)).cloned().collect();
        let input = Input::new(series, volume, &warnings);
        let kept = of_series(&mut self.scores.kept, task.series);
        let report = scoring::report(kept, &input, task, &link::now_ms).map_err(|e| e.to_string())?;
        let table = scoring::table(&report, volume, task.quick);
        // While a slider moves the assigned lesions keep the extent they had; the threshold itself is drawn by
        // the shader.
        if !task.quick
            && let Some(kept) = kept
        {
            let mut labels =
                loaded.labels.take().unwrap_or_else(|| gpu_kernels::Labels::new(volume.grid.dims()));
            let marked = scoring::mark(&mut labels, kept, &input, &task.session);
            loaded.labels = Some(labels);
            marked?;
            self.stale = true;
        }
        Ok(table)
    }

    /// The report of a task as a file for the user.
    pub(super) fn export_score(
        &mut self,
        query: u32,
        task: &Task,
        format: Format,
        identification: &[String],
    ) {
        match self.score_file(task, format, identification) {
            Ok((name, mime, bytes)) => {
                link::send(&Event::File { query, name: name.into(), mime: mime.into(), bytes });
            }
            Err(message) => link::problem(&message),
        }
    }

    fn score_file(
        &mut self,
        task: &Task,
        format: Format,
        identification: &[String],
    ) -> Result<(&'static str, &'static str, Vec<u8>), String> {
        let at = self.position_complete(task.series)?;
        let index = self.index_of(task.series).ok_or(GONE)?;
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index)).ok_or(GONE)?;
        let loaded = &self.loaded[at];
        let warnings: Vec<String> = series.warnings.iter().chain(loader_warnings(loaded)).cloned().collect();
        let input = Input::new(series, loaded.loader.volume(), &warnings);
        let task = Task { quick: false, ..task.clone() };
        let kept = of_series(&mut self.scores.kept, task.series);
        let mut report = scoring::report(kept, &input, &task, &link::now_ms).map_err(|e| e.to_string())?;
        Ok(scoring::file(&mut report, input.volume, format, identification))
    }

    fn position_complete(&self, series: SeriesId) -> Result<usize, String> {
        let at = self.loaded.iter().position(|l| l.series == series).ok_or(GONE)?;
        let loaded = &self.loaded[at];
        if loaded.complete() {
            Ok(at)
        } else {
            Err(format!(
                "{} of {} slices have arrived. The score follows when all have.",
                loaded.done, loaded.total
            ))
        }
    }
}

const GONE: &str = "The series is not loaded any more. Open it again.";

fn loader_warnings(loaded: &super::Loaded) -> impl Iterator<Item = &String> {
    loaded.loader.warnings().iter()
}

/// The candidates of this series; those of another make room.
fn of_series(kept: &mut Option<(SeriesId, Option<Scoring>)>, series: SeriesId) -> &mut Option<Scoring> {
    if kept.as_ref().is_none_or(|(of, _)| *of != series) {
        *kept = None;
    }
    &mut kept.get_or_insert((series, None)).1
}

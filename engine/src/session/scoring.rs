//! Scoring: the newest question about a score, answered before the next picture.
//!
//! A slider asks faster than a large volume can be scored. A newer question takes the place of one that has not
//! been taken up, so the answer is never older than one score.

use calcium::{Candidates, Eraser, Input, Owned, Report};
use protocol::calcium::{Format, Table, Task};
use protocol::{Backend, Event, SeriesId};

use super::Session;
use crate::calcium::{self as scoring, Kept};
use crate::canvas::Canvas;
use crate::link;

/// What is kept between two questions.
#[derive(Default)]
pub struct Scores {
    wanted: Option<(u32, Task)>,
    /// On the CPU; a GPU keeps its own.
    kept: Option<(SeriesId, Option<Kept<Candidates>>)>,
}

impl Scores {
    /// Forgets candidates of a series that is not among these: it is gone, or has got more slices.
    pub fn keep(&mut self, same: &[SeriesId]) {
        self.kept = self.kept.take().filter(|(series, _)| same.contains(series));
    }

    /// Forgets candidates of series that are gone.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The candidates of this series; those of another make room.
    fn of_series(&mut self, series: SeriesId) -> &mut Option<Kept<Candidates>> {
        if self.kept.as_ref().is_none_or(|(of, _)| *of != series) {
            self.kept = None;
        }
        &mut self.kept.get_or_insert((series, None)).1
    }
}

pub(super) const GONE: &str = "The series is not loaded any more. Open it again.";

impl Session {
    /// Takes up a question.
    pub(super) fn ask_score(&mut self, query: u32, task: Task) {
        self.scores.wanted = Some((query, task));
    }

    /// Answers the newest question, if there is one.
    pub(super) async fn score_step(&mut self) {
        let Some((query, task)) = self.scores.wanted.take() else { return };
        let series = task.series;
        let outcome = self.score(&task).await;
        link::send(&Event::Calcium { query, series, outcome });
    }

    async fn score(&mut self, task: &Task) -> Result<Table, String> {
        let (report, owned, at) = self.report(task).await?;
        let loaded = &mut self.loaded[at];
        let volume = loaded.origin.volume();
        let table = scoring::table(&report, volume, task.quick);
        // While a slider moves the assigned lesions keep the extent they had; the threshold itself is drawn by
        // the shader.
        if task.quick {
            return Ok(table);
        }
        let on_gpu = match &self.canvas {
            Some(Canvas::Gpu(canvas)) if report.backend != "cpu" => canvas.scoring.candidates(),
            _ => None,
        };
        let on_cpu = || self.scores.kept.as_ref().and_then(|(_, k)| k.as_ref()).map(Kept::all);
        if let Some(all) = on_gpu.or_else(on_cpu) {
            let eraser = Eraser::new(&volume.grid, &task.session.edits);
            let labels = loaded.marks.get_or_insert_with(|| gpu_kernels::Labels::new(volume.grid.dims()));
            scoring::mark(labels, all, &owned, &eraser).map_err(|e| e.to_string())?;
            self.stale = true;
        }
        Ok(table)
    }

    /// The report of a task, its components and where its series is loaded: from the GPU that draws it, if that is a real one,
    /// else from the CPU. A GPU that fails is named in the report.
    async fn report(&mut self, task: &Task) -> Result<(Report, Owned, usize), String> {
        let at = self.position_complete(task.series)?;
        let index = self.index_of(task.series).ok_or(GONE)?;
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index)).ok_or(GONE)?;
        let loaded = &self.loaded[at];
        let warnings: Vec<String> = series.warnings.iter().chain(loaded.warnings()).cloned().collect();
        let input = Input::new(series, loaded.volume(), &warnings);
        let mut failure = None;
        if let Some(Canvas::Gpu(canvas)) = &mut self.canvas
            // The twin is faster than a GPU that a processor plays; asked for by name it is used all the same.
            && (!canvas.gpu.is_software() || self.force == Some(Backend::WebGpu))
            && let Some(outcome) = canvas.score(&input, task, self.loaded[at].epoch).await
        {
            match outcome {
                Ok((report, owned)) => return Ok((report, owned, at)),
                Err(error) if error.cpu_can_score() => failure = Some(error.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
        let kept = self.scores.of_series(task.series);
        let (mut report, owned) =
            scoring::report(kept, &input, task, &link::now_ms).map_err(|e| e.to_string())?;
        report.warnings.extend(failure.map(|why| format!("Scored on the CPU: {why}.")));
        Ok((report, owned, at))
    }

    /// The report of a task as a file for the user.
    pub(super) async fn export_score(
        &mut self,
        query: u32,
        task: Task,
        format: Format,
        identification: &[String],
    ) {
        match self.report(&Task { quick: false, ..task }).await {
            Ok((mut report, _, at)) => {
                let volume = self.loaded[at].volume();
                let (name, mime, bytes) = scoring::file(&mut report, volume, format, identification);
                link::send(&Event::File { query, name: name.into(), mime: mime.into(), bytes });
            }
            Err(message) => link::problem(&message),
        }
    }

    /// Where a series is loaded, once every slice has arrived.
    pub(super) fn position_complete(&self, series: SeriesId) -> Result<usize, String> {
        let at = self.loaded.iter().position(|l| l.series == series).ok_or(GONE)?;
        let loaded = &self.loaded[at];
        if loaded.complete() {
            Ok(at)
        } else {
            Err(format!("{} of {} slices have arrived. Wait for the others.", loaded.done, loaded.total))
        }
    }
}

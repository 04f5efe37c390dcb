//! The models that can be run, and the run under way. Pure: the page fetches and posts, this decides.
//!
//! One run at a time: a second one would share the machine with the first and finish no earlier.

use contract::models::{Label, Manifest, Model, Precision, Task};
use protocol::SeriesId;
use protocol::inference::{Outcome, Place, Stage};
use protocol::segmentation::Described;

/// A run under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: u32,
    pub series: SeriesId,
    pub title: String,
    /// What the model's answers mean.
    pub labels: Vec<Described>,
    pub stage: Stage,
    /// Of this stage, 0 to 1.
    pub part: f64,
    pub seconds_left: Option<f64>,
}

impl Run {
    /// What the progress card says.
    pub fn text(&self) -> String {
        let percent = (100.0 * self.part.clamp(0.0, 1.0)).round();
        let left = self.seconds_left.map(|s| format!(", about {} left", duration(s))).unwrap_or_default();
        format!("{}: {percent:.0} %{left}", self.stage.label())
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.max(1.0).round();
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// How the labels of a series came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    pub series: SeriesId,
    pub outcome: Outcome,
    /// Where an earlier run of this session had the answer already: what to run for a new one.
    pub earlier: Option<Choice>,
}

/// What can be run, what runs, and what ran last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Models {
    /// `None` until the server has answered.
    pub manifest: Option<Result<Manifest, String>>,
    /// Models whose files the reader dropped, with the place of each file in the page's list.
    pub dropped: Vec<(Model, usize)>,
    pub precision: Option<Precision>,
    pub place: Place,
    pub budget_mb: u32,
    pub run: Option<Run>,
    pub last: Option<Last>,
    /// Why the last run gave nothing.
    pub failure: Option<String>,
    runs: u32,
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub model: Model,
    /// Where its file lies, for a dropped one.
    pub file: Option<usize>,
    /// It was made for another modality than the series has.
    pub foreign: bool,
}

/// Weights and activations together, where the reader says nothing: what a browser's worker is usually given.
pub const USUAL_BUDGET_MB: u32 = 3_000;

impl Models {
    /// Segmentation models, those for this modality first.
    pub fn choices(&self, modality: &str) -> Vec<Choice> {
        let offered = self.manifest.iter().flatten().flat_map(|m| m.models.iter().map(|m| (m, None)));
        let dropped = self.dropped.iter().map(|(m, file)| (m, Some(*file)));
        let mut choices: Vec<Choice> = dropped
            .chain(offered)
            .filter(|(m, _)| m.task == Task::Segmentation)
            .map(|(model, file)| Choice {
                model: model.clone(),
                file,
                foreign: !model.modalities.is_empty() && !model.modalities.iter().any(|m| m == modality),
            })
            .collect();
        choices.sort_by_key(|c| c.foreign);
        choices
    }

    /// The budget in bytes.
    pub fn budget_bytes(&self) -> u64 {
        let mb = if self.budget_mb == 0 { USUAL_BUDGET_MB } else { self.budget_mb };
        u64::from(mb) * 1_000_000
    }

    /// A new run; `None` while one is under way.
    pub fn begin(&mut self, series: SeriesId, model: &Model) -> Option<u32> {
        if self.run.is_some() {
            return None;
        }
        self.runs += 1;
        self.failure = None;
        self.run = Some(Run {
            id: self.runs,
            series,
            title: model.title.clone(),
            labels: model.output.labels.iter().filter_map(described).collect(),
            stage: Stage::Fetch,
            part: 0.0,
            seconds_left: None,
        });
        Some(self.runs)
    }

    /// The run of this number, unless another has taken its place.
    pub fn running(&mut self, id: u32) -> Option<&mut Run> {
        self.run.as_mut().filter(|r| r.id == id)
    }

    /// The run is over. `None` for one that was cancelled meanwhile.
    pub fn finish(&mut self, id: u32) -> Option<Run> {
        self.running(id)?;
        self.run.take()
    }
}

fn described(label: &Label) -> Option<Described> {
    let Label { index, name, colour, code } = label.clone();
    Some(Described { id: u8::try_from(index).ok()?, name, colour, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_and_late_answers_of_a_cancelled_one_are_dropped() {
        let mut models = Models::default();
        let first = models.begin(SeriesId(1), &Model::bare("A", 1)).unwrap();
        assert_eq!(models.begin(SeriesId(2), &Model::bare("B", 1)), None);
        models.run = None;
        let second = models.begin(SeriesId(2), &Model::bare("B", 1)).unwrap();
        assert_eq!(models.finish(first), None, "the first was cancelled");
        assert!(models.run.is_some());
        assert_eq!(models.finish(second).map(|r| r.series), Some(SeriesId(2)));
        assert!(models.run.is_none());
    }

    #[test]
    fn the_rest_of_a_run_is_told_in_seconds_and_minutes() {
        let run = |part, seconds_left| {
            let run = Run {
                id: 1,
                series: SeriesId(1),
                title: String::new(),
                labels: Vec::new(),
                stage: Stage::Run,
                part,
                seconds_left,
            };
            run.text()
        };
        assert_eq!(run(0.254, None), "Computing: 25 %");
        assert_eq!(run(2.0, Some(0.2)), "Computing: 100 %, about 1 s left");
        assert_eq!(run(0.5, Some(170.0)), "Computing: 50 %, about 3 min left");
    }
}

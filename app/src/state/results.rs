//! What models answered in this session: the same model on the same image with the same settings is not run again.
//!
//! In the page's memory and nowhere else. A label map shows somebody's head; what a browser stores (OPFS, Cache API)
//! outlives the session on a machine that others use too, and nobody asked for that. A model's file is nobody's, so that
//! is stored. Bounded in bytes: the answer that was not wanted for longest goes first.

use std::collections::VecDeque;

use contract::models::{Model, Precision};
use protocol::SeriesId;
use protocol::inference::{HandedVolume, Outcome, Place};

/// Of all label maps together: one of 512³ voxels and some heads.
pub const MOST_BYTES: u64 = 256 << 20;

/// All that an answer depends on. The budget is not part of it: in slabs the numbers are the same bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    model_sha256: String,
    voxels_sha256: String,
    /// Grid, type, rescale, padding and unit of the image.
    image: HandedVolume,
    /// The whole card: how the image is prepared, what becomes of the answer, what the labels are called.
    card: Model,
    precision: Precision,
    /// As it was asked for. GPU and CPU agree but for single voxels, yet who asks for one by name is not to be told
    /// the other's.
    place: Place,
}

impl Key {
    pub fn new(
        model_sha256: String,
        voxels_sha256: String,
        image: &HandedVolume,
        card: &Model,
        precision: Precision,
        place: Place,
    ) -> Self {
        // The same image may be opened twice, as two series.
        let image = HandedVolume { series: SeriesId(0), ..image.clone() };
        Self { model_sha256, voxels_sha256, image, card: card.clone(), precision, place }
    }
}

struct Kept<T> {
    key: Key,
    outcome: Outcome,
    labels: T,
    bytes: u64,
}

/// The answers, the one wanted last at the end. `T` holds the labels: an ArrayBuffer on the page.
pub struct Results<T> {
    kept: VecDeque<Kept<T>>,
    /// The run under way, and what its answer will be kept as.
    awaited: Option<(u32, Key)>,
    most_bytes: u64,
}

impl<T: Clone> Results<T> {
    pub fn within(most_bytes: u64) -> Self {
        Self { kept: VecDeque::new(), awaited: None, most_bytes }
    }

    /// What an earlier run answered.
    pub fn find(&mut self, key: &Key) -> Option<(Outcome, T)> {
        let at = self.kept.iter().position(|k| k.key == *key)?;
        let kept = self.kept.remove(at)?;
        let found = (kept.outcome.clone(), kept.labels.clone());
        self.kept.push_back(kept);
        Some(found)
    }

    /// The answer of this run will be kept under this key.
    pub fn await_answer(&mut self, run: u32, key: Key) {
        self.awaited = Some((run, key));
    }

    /// Keeps the answer of a run that was announced. One that is larger than all there is room for is not kept.
    pub fn keep(&mut self, run: u32, outcome: &Outcome, bytes: u64, labels: impl FnOnce() -> T) {
        let Some((_, key)) = self.awaited.take().filter(|(awaited, _)| *awaited == run) else { return };
        if bytes > self.most_bytes {
            return;
        }
        self.kept.retain(|k| k.key != key);
        while self.kept.iter().map(|k| k.bytes).sum::<u64>() + bytes > self.most_bytes {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { key, outcome: outcome.clone(), labels: labels(), bytes });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.awaited = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::models::{Intensity, Interpolation, Post};
    use protocol::inference::VoxelKind;
    use scene::Grid;

    fn image() -> HandedVolume {
        HandedVolume {
            series: SeriesId(3),
            grid: Grid::picture(4, 3, 2).unwrap(),
            kind: VoxelKind::I16,
            slope: 1.0,
            intercept: -1024.0,
            padding: None,
            unit: "HU".into(),
        }
    }

    fn key_of(model: &str, voxels: &str, image: &HandedVolume, card: &Model) -> Key {
        Key::new(model.into(), voxels.into(), image, card, Precision::Fp32, Place::Auto)
    }

    fn key(n: u32) -> Key {
        key_of("m", &n.to_string(), &image(), &Model::bare("a.onnx", 1))
    }

    fn keep(results: &mut Results<u32>, n: u32, bytes: u64) {
        results.await_answer(n, key(n));
        results.keep(n, &Outcome { model: n.to_string(), ..Outcome::default() }, bytes, || n);
    }

    fn held(results: &mut Results<u32>, of: &[u32]) -> Vec<u32> {
        of.iter().copied().filter(|n| results.kept.iter().any(|k| k.key == key(*n))).collect()
    }

    #[test]
    fn whatever_changes_the_answer_changes_the_key() {
        let card = Model::bare("a.onnx", 1);
        let own = key_of("m", "v", &image(), &card);
        assert_eq!(key_of("m", "v", &HandedVolume { series: SeriesId(9), ..image() }, &card), own);
        let images: [fn(&mut HandedVolume); 8] = [
            |i| i.grid = Grid::picture(3, 4, 2).unwrap(),
            |i| i.kind = VoxelKind::U16,
            |i| i.slope = 2.0,
            |i| i.intercept = 0.0,
            |i| i.padding = Some([-2000.0, -2000.0]),
            |i| i.padding = Some([f64::NEG_INFINITY, -2000.0]),
            |i| i.unit = "BQML".into(),
            |i| {
                // Half a millimetre aside.
                let mut world = i.grid.world_from_voxel();
                world.translation.x += 0.5;
                i.grid = Grid::new(i.grid.dims(), world, i.grid.length_unit, i.grid.frame).unwrap();
            },
        ];
        let cards: [fn(&mut Model); 7] = [
            |m| m.input.intensity = vec![Intensity::ZScore { mean: None, sd: None }],
            |m| m.input.geometry.orientation = "RAS".into(),
            |m| m.input.geometry.interpolation = Interpolation::Nearest,
            |m| m.input.geometry.spacing_mm = Some([1.0; 3]),
            |m| m.output.post = vec![Post::LargestComponent],
            |m| m.output.labels[0].name = "Brain".into(),
            |m| m.version = "2".into(),
        ];
        let mut others = vec![
            key_of("n", "v", &image(), &card),
            key_of("m", "w", &image(), &card),
            Key { precision: Precision::Fp16, ..own.clone() },
            Key { place: Place::Cpu, ..own.clone() },
            Key { place: Place::Gpu, ..own.clone() },
        ];
        for change in images {
            let mut image = image();
            change(&mut image);
            others.push(key_of("m", "v", &image, &card));
        }
        for change in cards {
            let mut card = card.clone();
            change(&mut card);
            others.push(key_of("m", "v", &image(), &card));
        }
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, own, "change {at} is not in the key");
            assert!(others[..at].iter().all(|o| o != other), "change {at} is taken for another");
        }
    }

    #[test]
    fn the_answer_that_was_not_wanted_for_longest_goes_first() {
        let mut results = Results::within(100);
        for n in 1..=3 {
            keep(&mut results, n, 30);
        }
        assert_eq!(results.find(&key(1)).map(|(o, n)| (o.model, n)), Some(("1".into(), 1)));
        keep(&mut results, 4, 40);
        assert_eq!(held(&mut results, &[1, 2, 3, 4]), [1, 3, 4], "exactly full");
        keep(&mut results, 5, 1);
        assert_eq!(held(&mut results, &[1, 3, 4, 5]), [1, 4, 5]);
        keep(&mut results, 6, 101);
        assert_eq!(held(&mut results, &[1, 4, 5, 6]), [1, 4, 5], "what has no room drives nobody out");
        keep(&mut results, 7, 100);
        assert_eq!(held(&mut results, &[1, 4, 5, 7]), [7]);
        results.clear();
        assert!(results.find(&key(7)).is_none());
    }

    #[test]
    fn the_newest_answer_replaces_the_older_one_of_its_key() {
        let mut results = Results::within(10);
        keep(&mut results, 1, 6);
        results.await_answer(2, key(1));
        results.keep(2, &Outcome::default(), 6, || 22);
        assert_eq!(results.find(&key(1)).map(|(_, n)| n), Some(22));
        assert_eq!(results.kept.len(), 1);
    }

    #[test]
    fn a_run_that_was_not_announced_is_kept_as_nothing() {
        let mut results = Results::within(10);
        results.await_answer(2, key(2));
        results.keep(1, &Outcome::default(), 1, || 1);
        assert!(results.find(&key(2)).is_none(), "an answer of a cancelled run under another's key");
        results.keep(2, &Outcome::default(), 1, || 2);
        assert!(results.find(&key(2)).is_none(), "the announcement went with the run that came instead");
    }
}

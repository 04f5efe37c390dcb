//! Where products of matrices and convolutions keep their tiles, and a probe that chooses.
//!
//! Registers of one thread need no barriers, which software, mobile and integrated GPUs are slow at; workgroup memory
//! saves reads, which discrete ones gain from. Names of devices do not tell, so one product is timed in both: some
//! 20 ms, once, where an autotuner would compile and time every shape of every model.

use std::fmt;

use web_time::Instant;

use super::fault::GpuFault;
use super::kernels::matmul::{self, MatMul};
use super::memory::Block;
use super::recorder::Recorder;

/// Where tiles lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiles {
    /// In the registers of one thread.
    #[default]
    Registers,
    /// In workgroup memory, where a product is large enough to fill them.
    Shared,
    /// In workgroup memory wherever there is a kernel for it, however small: for tests.
    SharedAlways,
}

/// What the probe found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Rows, columns and terms of the product.
    pub size: usize,
    /// One product with tiles in registers.
    pub registers_ms: f64,
    /// One product with tiles in workgroup memory.
    pub shared_ms: f64,
}

impl Probe {
    /// The faster one.
    pub fn choice(&self) -> Tiles {
        if self.shared_ms < self.registers_ms { Tiles::Shared } else { Tiles::Registers }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, registers_ms, shared_ms } = self;
        let (chosen, other) = match self.choice() {
            Tiles::Registers => (("registers", registers_ms), ("workgroup memory", shared_ms)),
            _ => (("workgroup memory", shared_ms), ("registers", registers_ms)),
        };
        write!(f, "tiles in {} ({:.3} ms for {size}³, in {} {:.3} ms)", chosen.0, chosen.1, other.0, other.1)
    }
}

/// Sizes and numbers of products, until they take long enough for the clock: the first suits a processor that plays a
/// GPU, the last a large discrete one.
const RUNGS: [(usize, usize); 5] = [(64, 1), (128, 1), (256, 1), (256, 8), (256, 64)];

/// Beyond what an empty submission takes: browsers tell the time to 0.1 ms.
const ENOUGH_MS: f64 = 1.0;

/// For all of it, compiling aside.
const BUDGET_MS: f64 = 20.0;

/// Turns of which the median counts.
const TURNS: usize = 3;

/// Milliseconds until so many products, recorded before, are done.
async fn time(
    rec: &mut Recorder,
    tiles: Tiles,
    size: usize,
    many: usize,
    blocks: &[Block; 3],
) -> Result<f64, GpuFault> {
    let job = MatMul::plain(size, size, size);
    rec.set_tiles(tiles);
    for _ in 0..many {
        matmul::record(rec, &job, &blocks[0], &blocks[1], None, &blocks[2])?;
    }
    let start = Instant::now();
    rec.finished().await?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// The middle one; of two the smaller.
fn median(times_ms: &mut [f64]) -> f64 {
    times_ms.sort_by(f64::total_cmp);
    times_ms.get(times_ms.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// Times one product in both ways. The recorder's choice is left to the caller.
pub(super) async fn probe(rec: &mut Recorder) -> Result<Probe, GpuFault> {
    let before = rec.tiles();
    let found = measure(rec).await;
    rec.set_tiles(before);
    rec.trim();
    found
}

async fn measure(rec: &mut Recorder) -> Result<Probe, GpuFault> {
    let [_, .., (largest, _)] = RUNGS;
    let words = vec![1.0f32.to_bits(); largest * largest];
    let blocks = [rec.upload(&words)?, rec.upload(&words)?, rec.take(words.len() as u64)?];
    let both = [Tiles::Registers, Tiles::Shared];
    // Compiles.
    for tiles in both {
        time(rec, tiles, RUNGS[0].0, 1, &blocks).await?;
    }
    let began = Instant::now();
    let spent_ms = || began.elapsed().as_secs_f64() * 1e3;
    let empty_ms = time(rec, Tiles::Registers, RUNGS[0].0, 0, &blocks).await?;
    let enough_ms = empty_ms + ENOUGH_MS.max(2.0 * empty_ms);
    let (mut size, mut many) = RUNGS[0];
    let mut turns = [Vec::with_capacity(TURNS), Vec::with_capacity(TURNS)];
    for rung in RUNGS {
        (size, many) = rung;
        for (turns, tiles) in turns.iter_mut().zip(both) {
            *turns = vec![time(rec, tiles, size, many, &blocks).await?];
        }
        if turns.iter().flatten().any(|&ms| ms >= enough_ms) {
            break;
        }
    }
    let turn_ms: f64 = turns.iter().flatten().sum();
    while turns[0].len() < TURNS && spent_ms() + turn_ms <= BUDGET_MS {
        for (turns, tiles) in turns.iter_mut().zip(both) {
            turns.push(time(rec, tiles, size, many, &blocks).await?);
        }
    }
    let [registers_ms, shared_ms] = turns.each_mut().map(|turns| median(turns) / many as f64);
    Ok(Probe { size, registers_ms, shared_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_one_is_chosen_and_a_draw_goes_to_the_one_without_barriers() {
        let of = |registers_ms, shared_ms| Probe { size: 256, registers_ms, shared_ms };
        assert_eq!(of(0.2, 0.1).choice(), Tiles::Shared);
        assert_eq!(of(0.1, 0.2).choice(), Tiles::Registers);
        assert_eq!(of(0.1, 0.1).choice(), Tiles::Registers);
        assert_eq!(
            of(0.25, 0.125).to_string(),
            "tiles in workgroup memory (0.125 ms for 256³, in registers 0.250 ms)"
        );
        assert_eq!(
            of(0.125, 0.25).to_string(),
            "tiles in registers (0.125 ms for 256³, in workgroup memory 0.250 ms)"
        );
    }

    #[test]
    fn one_slow_turn_does_not_decide() {
        assert_eq!(median(&mut [9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [2.0, 1.0]), 1.0);
        assert_eq!(median(&mut [3.0]), 3.0);
    }
}

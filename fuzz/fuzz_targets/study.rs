//! Any bytes as a received file, from the first look to the last voxel: archives, NIfTI, PNG, JPEG and DICOM, grouped
//! and loaded. Invariants: every file has a fate, and a volume has the voxels that its grid and times promise.
#![no_main]

use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{ArchiveLimits, Scanner, Voxels};
use libfuzzer_sys::fuzz_target;

/// What one input may make us hold, far below libFuzzer's own limit.
const MOST_VOXELS: u64 = 32 << 20;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_frame_bytes: 16 << 20, max_pixels_bytes: 64 << 20, ..Limits::default() };
    let archive_limits = ArchiveLimits { max_entry_bytes: 16 << 20, max_total_bytes: 64 << 20, ..ArchiveLimits::default() };
    let source = Buffer { name: "file".into(), bytes: bytes.to_vec() };
    let mut scanner = Scanner::with_archive_limits(vec![source], limits, archive_limits);
    while scanner.step().is_some() {}
    let mut catalog = scanner.finish();
    for index in 0..catalog.series.len().min(4) {
        let series = &catalog.series[index];
        let dims = series.dims.iter().map(|d| u64::from(*d)).product::<u64>();
        if dims.saturating_mul(series.time_points.into()) > MOST_VOXELS {
            continue;
        }
        if let Ok(volume) = catalog.volume(index) {
            let promised = volume.grid.dims().iter().map(|d| u64::from(*d)).product::<u64>() * u64::from(volume.time_points);
            let held = match &volume.voxels {
                Voxels::I16(v) => v.len(),
                Voxels::U16(v) => v.len(),
                Voxels::F32(v) => v.len(),
                Voxels::Rgba8(v) => v.len(),
            };
            assert_eq!(held as u64, promised);
        }
    }
    // What came later joins what is there, whatever that was.
    let mut again = Scanner::after(&catalog, vec![Buffer { name: "file".into(), bytes: bytes.to_vec() }]);
    while again.step().is_some() {}
    let later = again.finish();
    for ledger in [&catalog.ledger, &later.ledger] {
        assert_eq!(ledger.check(), Ok(()));
    }
    assert_eq!(later.ledger.received(), 2 * catalog.ledger.received());
    assert_eq!(later.heirs(&catalog).len(), later.series.len());
});

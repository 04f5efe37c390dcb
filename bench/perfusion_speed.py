"""Times standard SVD on one volume: osipy, and `isocenter perfusion` on the same NIfTI file, in one run.

usage: perfusion_speed.py ISOCENTER [COLUMNS ROWS SLICES FRAMES]
ISOCENTER is the program in its release build. Prints one JSON object. Needs `perfusion_requirements.txt` and
Python 3.12. Both get concentration and the same artery and use all cores that they use by themselves. osipy is timed
on arrays in memory, its deconvolution alone, so of isocenter the stage `maps` of its own report is its peer (it makes
five maps). Beside it stand the stages `curves`, `vessels` and `maps`, which begin with voxels in memory, and the whole
process, reading and writing of files included. Best of three each, turn by turn.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from osipy.dsc.deconvolution.svd import SVDDeconvolutionParams, _deconvolve_sSVD


def main():
    program = sys.argv[1]
    columns, rows, slices, frames = (int(v) for v in sys.argv[2:6]) if len(sys.argv) > 2 else (128, 128, 16, 60)
    rng = np.random.default_rng(5)
    t = np.arange(frames) * 1.0
    u = np.clip(t - 8.0, 0, None)
    aif = u**3 * np.exp(-u / 1.5)
    mtt = rng.uniform(3, 12, (columns, rows, slices))
    cbf = rng.uniform(10, 70, mtt.shape) / 6000
    matrix = np.tril(aif[np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))])
    residue = np.exp(-t / mtt[..., None]) * cbf[..., None]
    volume = (residue @ matrix.T + 1e-3 * rng.standard_normal(residue.shape)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        image = nibabel.Nifti1Image(volume, np.eye(4))
        image.header.set_zooms((1, 1, 1, 1.0))
        nibabel.save(image, path / "v.nii")
        (path / "aif.csv").write_text("time_s,value\n" + "".join(f"{a},{b!r}\n" for a, b in zip(t, aif.tolist())))
        command = [program, "perfusion", str(path / "v.nii"), "--signal", "concentration", "--mask", "none",
                   "--motion", "off", "--method", "ssvd", "--aif", str(path / "aif.csv"), "--vof", "none",
                   "--kh", "1", "--density", "1", "--backend", "cpu", "--json", "--out", str(path / "out")]
        maps, stages, whole, theirs = [], [], [], []
        for _ in range(3):
            began = time.perf_counter()
            report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            whole.append((time.perf_counter() - began) * 1e3)
            maps.append(report["timings_ms"]["maps"])
            stages.append(sum(report["timings_ms"][k] for k in ("curves", "vessels", "maps")))
            began = time.perf_counter()
            result = _deconvolve_sSVD(volume, aif, t, None, SVDDeconvolutionParams(method="sSVD", threshold=0.2))
            theirs.append((time.perf_counter() - began) * 1e3)
        got = np.asarray(nibabel.load(path / "out" / "cbf.nii.gz").dataobj)
    apart = np.abs(got / (6000 * np.asarray(result.cbf)) - 1).max()
    print(json.dumps({
        "dims": [columns, rows, slices, frames], "method": "sSVD 0.20",
        "osipy_ms": min(theirs), "isocenter_maps_ms": min(maps), "isocenter_stages_ms": min(stages),
        "isocenter_process_ms": min(whole), "times_as_fast": min(theirs) / min(maps),
        "times_as_fast_stages": min(theirs) / min(stages), "times_as_fast_process": min(theirs) / min(whole),
        "largest_relative_difference_of_cbf": float(apart),
    }))


main()

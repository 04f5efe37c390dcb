"""Calcium scores of many small volumes, as plainly as they can be written.

usage: score.py FOLDER
Reads FOLDER/cases.json and FOLDER/voxels.bin, writes FOLDER/expected.json.
Written from the definition with numpy and scipy.ndimage.label; knows nothing of the program that it checks.
Needs requirements.txt.
"""

import json
import pathlib
import sys

import numpy as np
from scipy import ndimage

TYPES = {"i16": np.dtype("<i2"), "u16": np.dtype("<u2"), "f32": np.dtype("<f4")}


def admits(rule, value, n, pixel_mm2):
    # Areas that are equal but for rounding are equal.
    if rule == "more_than_mm2":
        return n * pixel_mm2 > value * (1 + 1e-9)
    if rule == "at_least_mm2":
        return n * pixel_mm2 >= value * (1 - 1e-9)
    if rule == "more_than_pixels":
        return n > value
    raise ValueError(rule)


def isotropic(hu, usable, counted, lesion, step_slices, threshold, n_lesions):
    """Samples per lesion on planes one pixel size apart, linear between slices."""
    samples = np.zeros(n_lesions + 1, dtype=np.int64)
    last = hu.shape[0] - 1
    k = 0
    while True:
        depth = k * step_slices
        if abs(depth - round(depth)) < 1e-9:
            depth = float(round(depth))
        if depth > last:
            return samples
        z = min(int(np.floor(depth)), last - 1)
        t = depth - z
        between = hu[z] + (hu[z + 1] - hu[z]) * t
        with np.errstate(invalid="ignore"):
            reaches = (between >= threshold - 1e-6) & usable[z] & usable[z + 1]
        owner = np.where(counted[z], lesion[z], np.where(counted[z + 1], lesion[z + 1], 0))
        np.add.at(samples, owner[reaches & (owner > 0)], 1)
        k += 1


def score(case, stored, region):
    dx, dy, dz = case["spacing_mm"]
    pixel_mm2 = dx * dy
    depth_mm = dz
    factor = 1.0
    if case["slice_rule"] == "increment":
        factor = dz / 3
    if case["slice_rule"] == "thickness":
        depth_mm = case["thickness_mm"]
        factor = depth_mm / 3
    threshold = case["threshold_hu"]
    hu = case["slope"] * stored.astype(np.float64) + case["intercept"]
    usable = np.isfinite(stored) if stored.dtype.kind == "f" else np.ones(stored.shape, dtype=bool)
    if case["padding"] is not None:
        low, high = case["padding"]
        usable &= ~((stored >= low) & (stored <= high))
    for z in case["missing"]:
        usable[z] = False
    with np.errstate(invalid="ignore"):
        mask = (hu >= threshold) & usable & (region != 0)

    eight = case["connectivity"] == 8
    lesion_of, _ = ndimage.label(mask, ndimage.generate_binary_structure(3, 3 if eight else 1))
    components, too_small = [], 0
    counted = np.zeros(mask.shape, dtype=bool)
    for z in range(mask.shape[0]):
        label, n = ndimage.label(mask[z], ndimage.generate_binary_structure(2, 2 if eight else 1))
        for i in range(1, n + 1):
            rows, columns = np.nonzero(label == i)
            voxels = len(rows)
            if not admits(case["rule"], case["value"], voxels, pixel_mm2):
                too_small += 1
                continue
            counted[z][rows, columns] = True
            values = hu[z][rows, columns]
            peak, mean = values.max(), values.mean()
            weight = 1 + sum(bool(peak >= cut) for cut in case["weight_cuts_hu"])
            area = voxels * pixel_mm2
            components.append({
                "slice": z,
                "first": int(rows[0] * mask.shape[2] + columns[rows == rows[0]].min()),
                "voxels": voxels,
                "centroid": [float(columns.mean()), float(rows.mean())],
                "bounds": [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1],
                "peak_hu": float(peak),
                "mean_hu": float(mean),
                "weight": weight,
                "agatston": area * weight * factor,
                "volume_mm3": area * depth_mm,
                "mass_mg": case["mass_factor"] * area * depth_mm * float(mean),
                "lesion": int(lesion_of[z, rows[0], columns[0]]),
            })
    components.sort(key=lambda c: (c["slice"], c["first"]))
    numbers = {}
    for c in components:
        c["lesion"] = numbers.setdefault(c["lesion"], len(numbers) + 1)
    relabel = np.zeros(lesion_of.max() + 1, dtype=np.int64)
    for theirs, ours in numbers.items():
        relabel[theirs] = ours
    iso = None
    if mask.shape[0] > 1:
        step_mm = np.sqrt(pixel_mm2)
        samples = isotropic(hu, usable, counted, relabel[lesion_of], step_mm / dz, threshold, len(numbers))
        iso = [float(n * pixel_mm2 * step_mm) for n in samples[1:]]
    return {"components": components, "too_small": too_small, "isotropic_mm3": iso}


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    data = (folder / "voxels.bin").read_bytes()
    out, at = [], 0
    for case in cases:
        columns, rows, slices = case["dims"]
        n = columns * rows * slices
        dtype = TYPES[case["type"]]
        stored = np.frombuffer(data, dtype, n, at).reshape(slices, rows, columns)
        at += n * dtype.itemsize
        region = np.frombuffer(data, np.uint8, n, at).reshape(slices, rows, columns)
        at += n
        out.append(score(case, stored, region))
    if at != len(data):
        raise ValueError(f"{len(data)} bytes, the cases ask for {at}")
    (folder / "expected.json").write_text(json.dumps(out))


main()

"""Times threshold, labelling and component statistics with scipy and connected-components-3d.

usage: calcium_speed.py VOLUME.bin SIDE
VOLUME.bin holds SIDE^3 int16. Prints one JSON object. Needs bench/calcium_requirements.txt.
What is timed is the least that a score needs: mask at 130 HU, components of each slice, area and peak of each.
"""

import json
import statistics
import sys
import time

import cc3d
import numpy as np
from scipy import ndimage


def scipy_per_slice(volume):
    structure = np.ones((3, 3), dtype=int)
    total = 0
    for image in volume:
        mask = image >= 130
        label, n = ndimage.label(mask, structure)
        if n:
            at = label[mask]
            np.bincount(at, minlength=n + 1)
            peak = np.full(n + 1, -32768, dtype=np.int16)
            np.maximum.at(peak, at, image[mask])
        total += n
    return total


def cc3d_per_slice(volume):
    total = 0
    for image in volume:
        mask = image >= 130
        label, n = cc3d.connected_components(mask, connectivity=8, return_N=True)
        if n:
            at = label[mask]
            np.bincount(at, minlength=n + 1)
            peak = np.full(n + 1, -32768, dtype=np.int16)
            np.maximum.at(peak, at, image[mask])
        total += n
    return total


def labels_only(label):
    def run(volume):
        return sum(label(image >= 130) for image in volume)

    return run


def cc3d_volume(volume):
    _, n = cc3d.connected_components(volume >= 130, connectivity=26, return_N=True)
    return n


def scipy_volume(volume):
    _, n = ndimage.label(volume >= 130, np.ones((3, 3, 3), dtype=int))
    return n


def main():
    side = int(sys.argv[2])
    volume = np.fromfile(sys.argv[1], dtype="<i2").reshape(side, side, side)
    structure = np.ones((3, 3), dtype=int)
    runs = {
        "scipy_label_per_slice": (scipy_per_slice, True),
        "cc3d_per_slice": (cc3d_per_slice, True),
        "scipy_label_per_slice_labels_only": (labels_only(lambda m: ndimage.label(m, structure)[1]), True),
        "cc3d_per_slice_labels_only": (
            labels_only(lambda m: cc3d.connected_components(m, connectivity=8, return_N=True)[1]),
            True,
        ),
        "scipy_label_3d": (scipy_volume, False),
        "cc3d_26_3d": (cc3d_volume, False),
    }
    report = {}
    for name, (run, per_slice) in runs.items():
        seconds, components = [], 0
        for _ in range(5):
            start = time.perf_counter()
            components = run(volume)
            seconds.append(time.perf_counter() - start)
        report[name] = {
            "ms": 1000 * statistics.median(seconds),
            "best_ms": 1000 * min(seconds),
            "components": int(components),
            "per_slice": per_slice,
        }
    print(json.dumps(report))


main()

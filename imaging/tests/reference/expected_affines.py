"""Writes expected_affines.json: geometry and value checksums by nibabel and pydicom, not by us.

Run with the versions of requirements.txt from the folder that holds `data/`:
    python expected_affines.py PATH_TO_SHARED > expected_affines.json

nibabel's world is RAS, ours is LPS: the affine is multiplied by diag(-1, -1, 1, 1) from the left. Values
are over all voxels, padding included. DICOM slices are ordered along the normal of rows and columns.
"""

import json
import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom

SHARED = Path(sys.argv[1])
DATA = SHARED / "data"
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def values(a):
    a = np.asarray(a, dtype=np.float64)
    a = a[np.isfinite(a)]
    return {"min": float(a.min()), "max": float(a.max()), "mean": float(a.mean())}


def nifti(path):
    image = nibabel.load(path)
    shape = tuple(image.shape) + (1, 1, 1)
    return {
        "path": str(path.relative_to(SHARED)),
        "dims": [int(n) for n in shape[:3]],
        "time_points": int(np.prod(image.shape[3:], dtype=int)),
        "world_from_voxel": (LPS_FROM_RAS @ image.affine).flatten().tolist(),
        **values(image.get_fdata()),
    }


def affine(orientation, spacing, first, last, n, thickness):
    right, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    first, last = np.array(first, float), np.array(last, float)
    step = (last - first) / (n - 1) if n > 1 else np.cross(right, down) * thickness
    m = np.eye(4)
    m[:3, 0] = right * float(spacing[1])
    m[:3, 1] = down * float(spacing[0])
    m[:3, 2] = step
    m[:3, 3] = first
    return m.flatten().tolist()


def series(folder):
    slices = [pydicom.dcmread(p) for p in sorted((DATA / folder).iterdir()) if p.is_file()]
    o = [float(x) for x in slices[0].ImageOrientationPatient]
    normal = np.cross(o[:3], o[3:])
    slices.sort(key=lambda d: float(np.dot(normal, [float(x) for x in d.ImagePositionPatient])))
    hu = [d.pixel_array * float(d.get("RescaleSlope", 1)) + float(d.get("RescaleIntercept", 0)) for d in slices]
    first, last = slices[0], slices[-1]
    return {
        "path": "data/" + folder,
        "dims": [int(first.Columns), int(first.Rows), len(slices)],
        "time_points": 1,
        "world_from_voxel": affine(
            o, first.PixelSpacing, first.ImagePositionPatient, last.ImagePositionPatient, len(slices), 1.0
        ),
        **values(hu),
    }


def multiframe(path):
    d = pydicom.dcmread(DATA / path)
    shared = d.SharedFunctionalGroupsSequence[0]

    def macro(frame, name):
        return (frame.get(name) or shared.get(name))[0]

    frames = list(enumerate(d.PerFrameFunctionalGroupsSequence))
    o = [float(x) for x in macro(frames[0][1], "PlaneOrientationSequence").ImageOrientationPatient]
    normal = np.cross(o[:3], o[3:])

    def position(frame):
        return [float(x) for x in macro(frame, "PlanePositionSequence").ImagePositionPatient]

    frames.sort(key=lambda f: float(np.dot(normal, position(f[1]))))
    measures = macro(frames[0][1], "PixelMeasuresSequence")
    pixels = d.pixel_array[[i for i, _ in frames]]
    return {
        "path": "data/" + path,
        "dims": [int(d.Columns), int(d.Rows), len(frames)],
        "time_points": 1,
        "world_from_voxel": affine(
            o,
            measures.PixelSpacing,
            position(frames[0][1]),
            position(frames[-1][1]),
            len(frames),
            float(measures.SliceThickness),
        ),
        **values(pixels),
    }


cases = [nifti(p) for p in sorted((DATA / "volumes").rglob("*")) if p.name.endswith((".nii", ".nii.gz"))]
cases += [nifti(p) for p in sorted((DATA / "totalsegmentator-ct").glob("*.nii.gz"))]
cases.append(series("calcium-qrm/data/canon/Large_rep1"))
cases.append(series("totalsegmentator-ct/example_ct_dicom"))
cases.append(series("dicom/dcmqi/segmentations/ct-3slice"))
cases.append(series("dicom/dcmqi/segmentations/23x38x3/image"))
cases.append(multiframe("dicom/dcmqi/segmentations/23x38x3/multiframe/mf.dcm"))
cases.append(multiframe("dicom/dcmqi/segmentations/23x38x3/seg/label.seg"))
cases.append(multiframe("dicom/dcmqi/sr-example/seg.dcm"))
json.dump(
    {"nibabel": nibabel.__version__, "pydicom": pydicom.__version__, "numpy": np.__version__, "cases": cases},
    sys.stdout,
    indent=1,
)
print()

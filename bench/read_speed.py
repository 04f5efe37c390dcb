"""Times pydicom + numpy and our reader on the same files and prints one JSON object.

usage: read_speed.py WORK_DIR BENCH_READ_BINARY
Makes, below WORK_DIR, a synthetic uncompressed CT series (300 x 512 x 512 int16), and folders of JPEG 2000 and
JPEG-LS files: slices of that series, coded losslessly.
Needs bench/requirements.txt.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, generate_uid

SIDE, SLICES, CODED_SLICES, REPEAT = 512, 300, 20, 5


def make_slice(k, rng):
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    body = ((x - 256) / 200.0) ** 2 + ((y - 256) / 150.0) ** 2 < 1
    spine = (x - 256) ** 2 + (y - 340) ** 2 < (30 + k % 7) ** 2
    hu = np.where(body, 40.0, -1000.0) + np.where(spine, 700.0, 0.0)
    return (hu + rng.normal(0, 15, hu.shape)).round().astype(np.int16)


def data_set(k, pixels):
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality = "CT"
    # One series, so that what is opened is one volume.
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "2.25.1", "2.25.2", "2.25.3"
    ds.Modality = "CT"
    ds.InstanceNumber = k
    ds.ImagePositionPatient = [0, 0, 1.5 * k]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.7, 0.7]
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.set_pixel_data(pixels, "MONOCHROME2", 16)
    return ds


def make(work):
    rng = np.random.default_rng(7)
    folders = {n: work / n for n in ("uncompressed", "jpeg2000", "jpegls")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    if len(list(folders["uncompressed"].iterdir())) == SLICES:
        return
    for k in range(SLICES):
        ds = data_set(k, make_slice(k, rng))
        ds.save_as(folders["uncompressed"] / f"{k:03}.dcm", enforce_file_format=True)
        if k < CODED_SLICES:
            for name, syntax in (("jpeg2000", JPEG2000Lossless), ("jpegls", JPEGLSLossless)):
                coded = pydicom.dcmread(folders["uncompressed"] / f"{k:03}.dcm")
                coded.compress(syntax)
                coded.save_as(folders[name] / f"{k:03}.dcm", enforce_file_format=True)


def time_pydicom(folder, plugin):
    files = sorted(folder.iterdir())
    seconds, cpu = [], time.process_time()
    for _ in range(REPEAT):
        start = time.perf_counter()
        volume = np.empty((len(files), SIDE, SIDE), np.int16)
        for k, file in enumerate(files):
            ds = pydicom.dcmread(file)
            if plugin:
                ds.pixel_array_options(decoding_plugin=plugin)
            volume[k] = ds.pixel_array
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), (time.process_time() - cpu) / REPEAT


def main():
    work, binary = pathlib.Path(sys.argv[1]), sys.argv[2]
    make(work)
    runs = {
        "uncompressed": [("pydicom+numpy", "")],
        "jpeg2000": [("pylibjpeg-openjpeg", "pylibjpeg"), ("gdcm", "gdcm")],
        "jpegls": [("pylibjpeg-libjpeg", "pylibjpeg"), ("gdcm", "gdcm"), ("pyjpegls", "pyjpegls")],
    }
    report = {}
    for name, plugins in runs.items():
        # CPU time beside wall time: it stays comparable when the machine is busy with something else.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.check_output([binary, str(work / name), "--repeat", str(REPEAT)])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = json.loads(output)[name]
        ours["cpu_s"] = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / REPEAT
        report[name] = {"files": ours["files"], "ours": {"median_s": ours["median_s"], "cpu_s": ours["cpu_s"]}}
        # The same files as the command line opens them: scanned, grouped and placed, on all cores.
        output = subprocess.check_output([binary, str(work / name), "--repeat", str(REPEAT), "--study"])
        study_s = json.loads(output)[name]["median_s"]
        report[name]["ours_as_a_study"] = {"median_s": study_s}
        for label, plugin in plugins:
            median_s, cpu_s = time_pydicom(work / name, plugin)
            report[name][label] = {
                "median_s": median_s,
                "cpu_s": cpu_s,
                "times_ours": median_s / ours["median_s"],
                "cpu_times_ours": cpu_s / ours["cpu_s"],
                "times_ours_as_a_study": median_s / study_s,
            }
    print(json.dumps(report, indent=1))


main()

"""Decodes DICOM files with pydicom and writes their pixels as little-endian bytes.

usage: decode_lossy.py OUT_DIR FILE...   writes OUT_DIR/<first 16 hex digits of the file's sha256>.raw
Run by tests/dicom_index.rs for lossy rows, in a virtual environment with requirements.txt.
"""

import hashlib
import pathlib
import sys
import warnings

import pydicom
from pydicom.pixels import get_decoder

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    data = pathlib.Path(name).read_bytes()
    dataset = pydicom.dcmread(name, force=True)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    array, _ = decoder.as_array(dataset, decoding_plugin="pylibjpeg")
    target = out / f"{hashlib.sha256(data).hexdigest()[:16]}.raw"
    target.write_bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())

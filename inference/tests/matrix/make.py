# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "onnx==1.22.0", "onnxruntime==1.31.1"]
# ///
"""Writes matrix.npz: convolutions and poolings in all combinations, with what onnxruntime's CPU makes of them.

Elements are small integers, so that sums are exact in any order and the file compresses well: a convolution or a
maximum has to be equal to the last bit. Inputs are not stored; `element` makes them here and in the test.
Run: `uv run make.py`, or with the packages above installed: `python make.py`.
"""

import itertools
import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
FLOAT = TensorProto.FLOAT
pick = random.Random(20)
models, outputs = [], []


def elements(shape, salt):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(salt)
    hashed = (i * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    return (((hashed >> np.uint64(16)) % np.uint64(7)).astype(np.float32) - 3).reshape(shape)


def add(operator, x_shape, weights, extra_outputs=0, **attributes):
    attributes = {k: v for k, v in attributes.items() if v is not None}
    names = [f"w{i}" for i in range(len(weights))]
    outs = ["y", "at"][: 1 + extra_outputs]
    node = helper.make_node(operator, ["x", *names], outs, **attributes)
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info("x", FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)]
        + [helper.make_tensor_value_info("at", TensorProto.INT64, None)] * extra_outputs,
        [numpy_helper.from_array(w, n) for n, w in zip(names, weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    data = model.SerializeToString()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        result = session.run(None, {"x": elements(x_shape, 0)})
    except Exception:  # a combination that onnxruntime refuses proves nothing
        return
    if result[0].size == 0:
        return
    models.append(np.frombuffer(data, np.uint8))
    outputs.append(result)


def agreed(operator, extent, kernel, strides, dilations, pad):
    """Whether onnxruntime follows the operators' description here.

    Poolings leave dilation out of SAME padding, begin windows behind the first element where a stride is larger than
    its kernel, and count one window where none fits; SAME in ConvTranspose gives less than input times stride there.
    """
    same = pad.startswith("SAME")
    if same and operator != "Conv" and any(k < s for k, s in zip(kernel, strides)):
        return False
    if "Pool" not in operator:
        return True
    around = {"same": 2, "begin": 1, "end": 1}.get(pad, 0)
    padded = [e + around * (k // 2) for e, k in zip(extent, kernel)]
    fits = all((k - 1) * d + 1 <= p for k, d, p in zip(kernel, dilations, padded))
    return (fits or same) and not (same and max(dilations) > 1)


def spatial(rank):
    return pick.choice({1: [[11], [8]], 2: [[7, 6], [5, 9]], 3: [[5, 6, 4], [4, 3, 5]]}[rank])


KERNELS = {1: [[1], [2], [3], [5]], 2: [[1, 1], [3, 3], [2, 3], [5, 1]], 3: [[1, 1, 1], [3, 3, 3], [2, 1, 3]]}
PADS = ["none", "same", "begin", "end", "SAME_UPPER", "SAME_LOWER", "VALID"]


def padding(kind, kernel):
    if kind in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        return {"auto_pad": kind}
    half = [k // 2 for k in kernel]
    zero = [0] * len(kernel)
    return {"pads": {"none": zero + zero, "same": half + half, "begin": half + zero, "end": zero + half}[kind]}


def window(rank, kernel, stride, dilation):
    # Unequal along the axes, so that two of them cannot be mistaken for each other.
    strides = [stride] + [1 + (stride + i) % 3 for i in range(rank - 1)] if stride > 1 else [1] * rank
    dilations = [1 + (dilation - 1) * ((i + 1) % 2) for i in range(rank)] if dilation > 1 else [1] * rank
    return {"kernel_shape": kernel, "strides": strides, "dilations": dilations}


for rank in (1, 2, 3):
    grid = list(itertools.product(KERNELS[rank], (1, 2, 3), (1, 2), ((1, 3, 2), (2, 4, 6), (3, 3, 3)), PADS))
    pick.shuffle(grid)
    for kernel, stride, dilation, (group, channels, filters), pad in grid[:64]:
        w = elements([filters, channels // group, *kernel], 7)
        bias = [elements([filters], 5)] if pick.random() < 0.5 else []
        batch = pick.choice([1, 2])
        extent, more = spatial(rank), window(rank, kernel, stride, dilation)
        add("Conv", [batch, channels, *extent], [w, *bias], group=group, **more, **padding(pad, kernel))
    pick.shuffle(grid)
    for kernel, stride, dilation, (group, channels, filters), pad in grid[:60]:
        w = elements([channels, filters // group, *kernel], 7)
        bias = [elements([filters], 5)] if pick.random() < 0.5 else []
        extent = spatial(rank)
        more = window(rank, kernel, stride, dilation)
        if pick.random() < 0.3:
            more["output_padding"] = [s - 1 for s in more["strides"]]
        if pick.random() < 0.2 and not pad.isupper():
            more["output_shape"] = [e * s for e, s in zip(extent, more["strides"])]
        if not agreed("ConvTranspose", extent, kernel, more["strides"], more["dilations"], pad):
            continue
        add("ConvTranspose", [1, channels, *extent], [w, *bias], group=group, **more,
            **({} if "output_shape" in more else padding(pad, kernel)))
    grid = list(itertools.product(KERNELS[rank][1:], (1, 2, 3), (1, 2), (0, 1), PADS))
    pick.shuffle(grid)
    for kernel, stride, dilation, ceil, pad in grid[:44]:
        extent, more = spatial(rank), window(rank, kernel, stride, dilation)
        if agreed("MaxPool", extent, kernel, more["strides"], more["dilations"], pad):
            add("MaxPool", [1, 2, *extent], [], extra_outputs=pick.choice([0, 1]), ceil_mode=ceil,
                **more, **padding(pad, kernel))
    pick.shuffle(grid)
    for kernel, stride, dilation, ceil, pad in grid[:44]:
        extent, more = spatial(rank), window(rank, kernel, stride, dilation)
        if agreed("AveragePool", extent, kernel, more["strides"], more["dilations"], pad):
            add("AveragePool", [1, 2, *extent], [], ceil_mode=ceil, count_include_pad=pick.choice([0, 1]),
                **more, **padding(pad, kernel))
    for operator in ("GlobalAveragePool", "GlobalMaxPool"):
        add(operator, [2, 3, *spatial(rank)], [])

whole = [r[0] for r in outputs]
exact = [np.abs(y - np.round(y)).max() == 0 for y in whole]
np.savez_compressed(
    Path(__file__).with_name("matrix.npz"),
    models=np.concatenate(models),
    model_bytes=np.array([m.size for m in models]),
    ranks=np.array([y.ndim for y in whole]),
    shapes=np.concatenate([y.shape for y in whole]),
    integers=np.concatenate([y.ravel() for y, e in zip(whole, exact) if e]).astype(np.int16),
    floats=np.concatenate([y.ravel() for y, e in zip(whole, exact) if not e]),
    exact=np.array(exact),
    places=np.concatenate([r[1].ravel() for r in outputs if len(r) > 1]).astype(np.int16),
    has_places=np.array([len(r) > 1 for r in outputs]),
)
print(len(models), "cases,", Path(__file__).with_name("matrix.npz").stat().st_size, "bytes")

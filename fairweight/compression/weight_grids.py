"""Grids of numbers that block-quantized weights are rounded to: a scale and a zero point for each block of a row.

A matrix is held as its product stores it: outputs x inputs, in blocks along the inputs. Its codes are whole numbers
from 0 to 2**bits - 1; code c stands for (c - zero point) x scale.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]

LARGEST_SCALE_CODE = 255


@dataclass(frozen=True)
class Grid:
    """Grid of a matrix (n, k).

    Attributes:
        scales: float32 (n, blocks), positive.
        zeros: uint8 (n, blocks), code of zero.
        bits, block: bits of a code, and number of weights that share a scale.
        scale_codes, scale_rows: the scales as uint8 (n, blocks) x float16 (n, 1), where they are stored so.
    """

    scales: Floats
    zeros: Codes
    bits: int
    block: int
    scale_codes: Codes | None = None
    scale_rows: NDArray[np.float16] | None = None

    @property
    def symmetric(self) -> bool:
        """Whether zero is the middle code of every block, so that zero points need not be stored."""
        return bool((self.zeros == 2 ** (self.bits - 1)).all())

    def columns(self, width: int) -> tuple[Floats, Floats]:
        """Scale and zero point of each weight, both float32 (n, width)."""
        scales = np.repeat(self.scales, self.block, axis=1)[:, :width]
        return scales, np.repeat(self.zeros, self.block, axis=1)[:, :width].astype(np.float32)


def grid(weights: Floats, kind: str, *, bits: int, block: int, narrow: bool = False) -> Grid:
    """Compute the grid of a matrix.

    Args:
        weights: float32 (n, k).
        kind: a key of KINDS.
        bits, block: bits of a code, and number of weights that share a scale.
        narrow: whether scales are stored in 8 bits, relative to a float16 factor of their row.
    """
    padding = -weights.shape[1] % block
    blocks = np.pad(weights, ((0, 0), (0, padding))).reshape(-1, block)
    widths, points = KINDS[kind](blocks, bits)
    scales = np.where((widths > 0) & np.isfinite(widths), widths, 1.0).astype(np.float32).reshape(len(weights), -1)
    zeros = np.clip(np.round(np.nan_to_num(points)), 0, 2**bits - 1).astype(np.uint8).reshape(len(weights), -1)
    about = Grid(scales, zeros, bits, block)
    # rounded up: the largest weight of a block stays inside its grid
    return narrowed(about, np.ceil) if narrow else about


def narrowed(on: Grid, rounding: Callable[[Floats], Floats]) -> Grid:
    """A grid with its scales in 8 bits, relative to a float16 factor of their row, rounded by a function of them."""
    rows = (on.scales.max(axis=1, keepdims=True) / LARGEST_SCALE_CODE * (1 + 2**-10)).astype(np.float16)
    rows = np.maximum(rows, np.float16(6e-8))
    codes = np.clip(rounding(on.scales / rows.astype(np.float32)), 1, LARGEST_SCALE_CODE).astype(np.uint8)
    return replace(on, scales=codes * rows.astype(np.float32), scale_codes=codes, scale_rows=rows)


def nearest(weights: Floats, on: Grid) -> Codes:
    """Round weights (n, k) to the nearest number of a grid; returns their codes uint8 (n, k)."""
    scales, zeros = on.columns(weights.shape[1])
    codes: Codes = np.clip(np.round(weights / scales + zeros), 0, 2**on.bits - 1).astype(np.uint8)
    return codes


def restored(codes: Codes, on: Grid) -> Floats:
    """The numbers that codes (n, k) of a grid stand for, float32 (n, k)."""
    scales, zeros = on.columns(codes.shape[1])
    values: Floats = (codes.astype(np.float32) - zeros) * scales
    return values


# ---- kinds of grid: blocks (b, block), bits -> scales (b,), zero points (b,)


def _symmetric(blocks: Floats, bits: int) -> tuple[Floats, Floats]:
    """Zero is the middle code; the weight of largest magnitude gets the lowest code, of which there is one more."""
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)[:, 0]
    half = 2 ** (bits - 1)
    return np.abs(largest) / (half - 0.5), np.full(len(blocks), half, np.float32)


def _range(blocks: Floats, bits: int) -> tuple[Floats, Floats]:
    """From the smallest weight to the largest one, with zero inside."""
    low, high = np.minimum(blocks.min(axis=1), 0), np.maximum(blocks.max(axis=1), 0)
    scales = (high - low) / (2**bits - 1)
    return scales, -low / np.where(scales > 0, scales, 1)


def _k_quant(blocks: Floats, bits: int) -> tuple[Floats, Floats]:
    """llama.cpp's search of the range with the smallest weighted squared error, as onnxruntime implements it."""
    from onnxruntime.quantization.neural_compressor.weight_only import quant_tensor_k_quant_cpu  # noqa: PLC0415

    with np.errstate(all="ignore"):  # a constant block divides zero by zero
        _, scales, zeros = quant_tensor_k_quant_cpu(blocks, bits, blocks.shape[1])
    return _around_zero(blocks, bits, scales[:, 0], zeros[:, 0])


def _hqq(blocks: Floats, bits: int) -> tuple[Floats, Floats]:
    """Half-quadratic quantization (Badri & Shaji 2023), as onnxruntime implements it; zero points are rounded."""
    import torch  # noqa: PLC0415 - the other kinds need no torch
    from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
        HQQWeightOnlyQuantConfig,
        HQQWeightOnlyQuantizer,
    )

    quantizer = HQQWeightOnlyQuantizer(HQQWeightOnlyQuantConfig(block_size=blocks.shape[1], bits=bits))
    _, scales, zeros = quantizer.quantize_internal(torch.from_numpy(blocks), bits=bits, group_size=blocks.shape[1])
    return _around_zero(blocks, bits, scales.numpy()[:, 0], zeros.numpy()[:, 0])


def _around_zero(blocks: Floats, bits: int, scales: Floats, zeros: Floats) -> tuple[Floats, Floats]:
    """A searched grid, or the plain range for blocks of one sign, for which the search takes no grid with zero."""
    plain_scales, plain_zeros = _range(blocks, bits)
    both = (blocks.min(axis=1) < 0) & (blocks.max(axis=1) > 0)
    return np.where(both, scales, plain_scales).astype(np.float32), np.where(both, zeros, plain_zeros)


KINDS: dict[str, Callable[[Floats, int], tuple[Floats, Floats]]] = {
    "symmetric": _symmetric,
    "range": _range,
    "k_quant": _k_quant,
    "hqq": _hqq,
}

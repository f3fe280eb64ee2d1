"""Software Carbon Intensity (ISO/IEC 21031:2024): SCI = ((E x I) + M) per R (standard library only)."""

from collections.abc import Mapping
from typing import Any

from fairweight.core.errors import InputError
from fairweight.energy.energy_model import BOUNDS, J_PER_KWH

YEAR_S = 365.25 * 24 * 3600


def check(device: Mapping[str, Any] | None) -> None:
    """Raise an InputError where the bounds of a device's total are not in order."""
    total = device["total_kg"] if device else dict.fromkeys(BOUNDS, 0)
    if not total["low"] <= total["central"] <= total["high"]:
        raise InputError("energy: embodied: total_kg: the bounds must be in order, low, central, high.")


def embodied_g(core_s: Any, device: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """M in gCO2e by bound: the share of what making the machine emitted; None where that is not known.

    M = TE x TS x RS: the device's total, times the time that is reserved over its working life, times the share of its
    cores. A device that works for a share of its life only spreads its total over that share.

    Args:
        core_s: cores held x seconds.
        device: `energy: embodied` of the study file.
    """
    if device is None:
        return None
    life_s = device["lifetime_years"] * YEAR_S * device["time_used"]
    share = core_s / device["cores"] / life_s
    return {bound: device["total_kg"][bound] * 1000 * share for bound in BOUNDS}


def sci_g(energy_j: Mapping[str, Any], g_per_kwh: Any, embodied: Mapping[str, Any] | None) -> dict[str, Any]:
    """gCO2e of one functional unit by bound, of its energy in J; without M where embodied emissions are not known."""
    return {b: energy_j[b] / J_PER_KWH * g_per_kwh + (embodied[b] if embodied else 0.0) for b in BOUNDS}

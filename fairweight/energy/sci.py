"""Software Carbon Intensity (ISO/IEC 21031:2024): SCI = ((E x I) + M) per R (standard library only)."""

from collections.abc import Mapping

from fairweight.core.errors import InputError
from fairweight.core.recipes import Embodied
from fairweight.energy.energy_model import BOUNDS, J_PER_KWH, Bound, Number

YEAR_S = 365.25 * 24 * 3600


def check(device: Embodied | None) -> None:
    """Check the embodied emissions of a device.

    Args:
        device: `energy: embodied` of the study file.

    Raises:
        InputError: the bounds of its total are not in order.
    """
    total = device["total_kg"] if device else dict.fromkeys(BOUNDS, 0)
    if not total["low"] <= total["central"] <= total["high"]:
        raise InputError("energy: embodied: total_kg: the bounds must be in order, low, central, high.")


def embodied_g(core_s: Number, device: Embodied | None) -> dict[Bound, Number] | None:
    """Embodied emissions M in gCO2e by bound: a share of what making the machine emitted.

    M = TE x TS x RS: the device's total, times the reserved time divided by its working life, times the share of its
    cores. If a device is used for only a share of its life, its total is spread over that share.

    Args:
        core_s: cores held x seconds.
        device: `energy: embodied` of the study file.

    Returns:
        M by bound; None if the device is not stated.
    """
    if device is None:
        return None
    life_s = device["lifetime_years"] * YEAR_S * device["time_used"]
    share = core_s / device["cores"] / life_s
    return {bound: device["total_kg"][bound] * 1000 * share for bound in BOUNDS}


def sci_g(
    energy_j: Mapping[Bound, Number], g_per_kwh: Number, embodied: Mapping[Bound, Number] | None
) -> dict[Bound, Number]:
    """Software Carbon Intensity: gCO2e of one functional unit by bound.

    Args:
        energy_j: energy of the unit in J by bound.
        g_per_kwh: carbon intensity of electricity.
        embodied: embodied emissions of the unit in gCO2e by bound; None leaves them out.
    """
    return {b: energy_j[b] / J_PER_KWH * g_per_kwh + (embodied[b] if embodied else 0.0) for b in BOUNDS}

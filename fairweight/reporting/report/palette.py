"""Colours and markers of all pictures."""

from fairweight.reporting.report.results import Results

# Okabe & Ito 2008: told apart with every kind of colour vision
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8B6F00"]
FLOOR = "#c9ced3"  # the band of what retraining alone does
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]


def look(position: int) -> tuple[str, str]:
    """Colour and marker; when the colours are used up they go on with other markers."""
    turn = position // len(COLOURS)
    return COLOURS[position % len(COLOURS)], MARKERS[(position + turn) % len(MARKERS)]


def looks(results: Results) -> dict[str, tuple[str, str]]:
    """Variant -> colour and marker; where there are many they are told apart by both together."""
    return {variant: look(position) for position, variant in enumerate(results.measured_variants)}

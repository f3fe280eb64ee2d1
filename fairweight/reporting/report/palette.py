"""Colours and markers of all figures."""

from fairweight.reporting.report.results import Results

# Okabe & Ito 2008: distinguishable with every kind of colour vision
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8B6F00"]
FLOOR = "#c9ced3"  # the band that shows the effect of retraining alone
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]


def look(position: int) -> tuple[str, str]:
    """Colour and marker of a position; once the colours are used up, they repeat with other markers."""
    turn = position // len(COLOURS)
    return COLOURS[position % len(COLOURS)], MARKERS[(position + turn) % len(MARKERS)]


def looks(results: Results) -> dict[str, tuple[str, str]]:
    """Variant -> colour and marker; the pair is unique also where there are more variants than colours."""
    return {variant: look(position) for position, variant in enumerate(results.measured_variants)}

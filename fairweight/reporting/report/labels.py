"""Text inside figures: shortened names, and numbers beside points that do not overlap.

A line leads from a number to its point where the two are not close.
"""

from itertools import product
from math import cos, hypot, pi, sin

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Point = tuple[float, float]  # in points (1/72 inch) of the figure

SIZE = 7.0  # of the type, in points
HALF = (3.2, 3.6)  # half of a digit's width and of its height, in points
MARKER = 4.0  # half of a marker's size, in points
NEAR = 9.0  # distance up to which it is plain without a line which point a number belongs to, in points
RADII = (NEAR, 13.0, 18.0, 24.0, 31.0, 39.0, 48.0)
ANGLES = tuple(pi * step / 8 for step in (2, 6, 10, 14, 0, 4, 8, 12, 1, 3, 5, 7, 9, 11, 13, 15))  # corners first


def short(name: str, most: int) -> str:
    """A name of at most `most` characters, so that it leaves room for the figure; tables show it in full."""
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def number_points(figure: Figure, points: dict[Axes, list[tuple[str, float, float]]]) -> None:
    """Write a number beside every point, after all else of the figure is drawn.

    Args:
        figure: its layout is computed first, because distances on the page are known only then.
        points: axis -> (number, x, y) in the units of its data.
    """
    figure.draw_without_rendering()
    scale = 72.0 / figure.dpi
    for axis, numbered in points.items():
        places = [tuple(scale * c for c in axis.transData.transform((x, y))) for _, x, y in numbered]
        frame = [tuple(scale * c for c in corner) for corner in axis.bbox.get_points()]
        offsets = spread(places, [len(number) for number, _, _ in numbered], frame)
        for (number, x, y), offset in zip(numbered, offsets, strict=True):
            line = {"arrowstyle": "-", "color": "#777", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
            axis.annotate(
                number,
                (x, y),
                offset,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=SIZE,
                arrowprops=line if hypot(*offset) > NEAR + 0.1 else None,
            )


def spread(places: list[Point], digits: list[int], frame: list[Point]) -> list[Point]:
    """Offsets of numbers from their points, chosen one after the other: the nearest that is free.

    Args:
        places: the points.
        digits: length of each number.
        frame: lower left and upper right corner, inside which numbers stay.

    Returns:
        An offset for each point; where none is free, the one that covers the least.
    """
    taken: list[tuple[Point, float]] = []  # centre and half width
    chosen = []
    for (x, y), length in zip(places, digits, strict=True):
        half = HALF[0] * length
        candidates = [(r * cos(a), r * sin(a)) for r, a in product(RADII, ANGLES)]
        best = min(candidates, key=lambda o: _covered((x + o[0], y + o[1]), half, places, taken, frame))
        taken.append(((x + best[0], y + best[1]), half))
        chosen.append(best)
    return chosen


def _covered(at: Point, half: float, places: list[Point], taken: list[tuple[Point, float]], frame: list[Point]) -> int:
    """Number of points and numbers that a number at `at` would cover; leaving the frame counts as covering them all."""
    on_points = sum(abs(at[0] - x) < half + MARKER and abs(at[1] - y) < HALF[1] + MARKER for x, y in places)
    on_numbers = sum(abs(at[0] - x) < half + other + 1 and abs(at[1] - y) < 2 * HALF[1] for (x, y), other in taken)
    inside = all(frame[0][i] + size <= at[i] <= frame[1][i] - size for i, size in enumerate((half, HALF[1])))
    return on_points + on_numbers + (0 if inside else len(places) + len(taken) + 1)

"""Images as `check` takes them: pairs of IDX files, as MNIST has them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairweight.cli.check_inputs import Request
from fairweight.cli.study_text import scalar, target_lines
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.foreign_models import PAGE
from fairweight.inference.imported_graph import Described

FIRST_BYTES = (b"\0\0\x08\x03", b"\0\0\x08\x04")  # of IDX files with unsigned bytes in three or four dimensions
PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP", b"II*\0": "TIFF"}
ARRAYS = {b"\x93NUMPY": "an array of NumPy", b"PK\x03\x04": "an archive (or .npz)"}
LABEL = "label"  # column of the classes that the reader `idx` gives
INSTEAD = f"images come as IDX files (IMAGES and LABELS of unsigned bytes, as MNIST has them): see {PAGE}"


@dataclass(frozen=True)
class Images:
    """A pair of IDX files: the images, and their labels."""

    path: Path
    labels: Path
    shape: tuple[int, ...]
    classes: pd.Series  # class -> number of rows


def is_images(data: Path) -> bool:
    """Whether a file holds images in the format IDX.

    Raises:
        InputError: it holds a picture or an array in another format.
    """
    if not data.is_file():
        return False
    with data.open("rb") as file:
        head = file.read(8)
    for start, name in {**PICTURES, **ARRAYS}.items():
        if head.startswith(start) and (start != b"BM" or b"\0" in head):
            raise InputError(f"{data} is {'a picture in ' * (start in PICTURES)}{name}; {INSTEAD}")
    return head.startswith(FIRST_BYTES)


def read_images(request: Request, data: Path) -> Images:
    """Read a pair of IDX files, of which the command line names the images.

    Raises:
        InputError: there are no labels beside them, or an option is for tables.
    """
    of_tables = {"--reference": request.reference, "--inputs": request.inputs, "--groups": request.groups}
    for option, names in of_tables.items():
        if names:
            raise InputError(
                f"{option}: images have no columns; leave it out, and write groups of images into the study file, by "
                "rows: {writer: {file: test, ranges: {first: [0, 4999], second: [5000, 9999]}}}"
            )
    if request.target != LABEL:
        raise InputError(f"--target: the classes of images in IDX files are called {LABEL!r}; write --target {LABEL}")
    labels = _labels_of(data)
    read = components.load("readers", "idx")
    frame = read({"all-images": data, "all-labels": labels}, rows=None)
    return Images(data, labels, frame["image"].iloc[0].shape, frame["label"].astype(str).value_counts())


def _labels_of(data: Path) -> Path:
    """The file of labels beside a file of images: `images` and `idx3` in its name are `labels` and `idx1` there."""
    names = [data.name.replace("images", "labels").replace("idx3", "idx1"), data.name.replace("images", "labels")]
    for name in names:
        if name != data.name and (path := data.with_name(name)).is_file():
            return path
    raise InputError(f"{data} needs its labels beside it, in a file {names[0]!r}; name both as MNIST does")


def check_scale(request: Request, described: Described | None) -> None:
    """Ask for the scale of the pixels where the model takes numbers with fractions.

    Raises:
        InputError: it is missing.
    """
    takes = described.inputs[0] if described is not None and described.inputs else None
    if request.scale is None and (takes is None or takes.type.startswith("float")):
        raise InputError(
            f"--scale: {takes or 'the module'} takes numbers, and pixels are 0 to 255; name the number that they are "
            "divided by: 255 for a model that takes 0 to 1, 1 for one that takes them as they are"
        )


def image_lines(request: Request, images: Images, calibration: Images | None) -> list[str]:
    """Lines of a dataset of images, up to its split."""
    parts = {"all": images} if calibration is None else {"train": calibration, "test": images}
    files = [
        f"      {part}-{kind}: {{sources: [{scalar(f'file:{path}')}]}}"
        for part, pair in parts.items()
        for kind, path in (("images", pair.path), ("labels", pair.labels))
    ]
    classes = images.classes if request.positive is None else _with_positive(images.classes, request.positive)
    return [
        "datasets:",
        "  rows:",
        f"    title: {scalar(images.path.name)}",
        "    licence: null  # CHECK: shown on the data card",
        "    reader: idx",
        "    files:",
        *files,
        f"    inputs: {{image: image}}  # {' x '.join(map(str, images.shape))}",
        *target_lines(LABEL, classes),
        "    # CHECK: whom could the model treat unequally? groups of images are ranges of rows of one file:",
        "    # groups: {writer: {file: test, ranges: {students: [0, 4999], employees: [5000, 9999]}}}",
    ]


def _with_positive(classes: pd.Series, positive: str) -> pd.Series:
    if positive not in classes.index:
        raise InputError(f"--positive: there is no class {positive!r}; there are {', '.join(classes.index)}")
    return classes.reindex([positive, *(name for name in classes.index if name != positive)])


def pixel_entries(request: Request) -> list[str]:
    """Entries of the model that say what it takes of a pixel."""
    entries = [] if request.scale is None else [f"scale: {request.scale:g}"]
    for option, values in (("mean", request.mean), ("std", request.std)):
        if values:
            entries.append(f"{option}: [{', '.join(f'{value:g}' for value in np.asarray(values, float))}]")
    return entries

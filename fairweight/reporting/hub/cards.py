"""All cards of a study, each in a folder that can be uploaded as it is."""

from collections.abc import Mapping
from pathlib import Path

from fairweight.core.artifacts import link_or_copy, write_text
from fairweight.inference.onnx_file import TOKENIZER
from fairweight.reporting.hub.datacards import data_card
from fairweight.reporting.hub.modelcards import KEYS, model_card, shipped
from fairweight.reporting.hub.tasks import task_of
from fairweight.reporting.report.results import Results


def write_cards(results: str, folder: str, lineages: Mapping[str, list[str]]) -> None:
    """Write `models/{dataset}/{augmentation}/{model}/{variant}/` (card and file) and `datasets/{dataset}/` (card).

    Args:
        results: the study's folder.
        folder: folder to fill.
        lineages: variant -> itself and its ancestors.
    """
    study, place = Results.read(results), Path(folder)
    for cell in shipped(study.assessments):
        path = [cell[key] for key in KEYS]
        target = place.joinpath("models", *path)
        write_text(target / "README.md", model_card(study, cell, lineages[cell["variant"]]))
        for name in ("model.onnx", TOKENIZER):
            file = Path(results).joinpath("seed-0", *path, name)
            if file.exists():  # of texts only, a tokenizer
                link_or_copy(file, target / name)
    for card in study.cards:
        write_text(
            place / "datasets" / card["dataset"] / "README.md",
            data_card(card, task_of(study.study["datasets"][card["dataset"]])),
        )

"""Write all cards of a study, each into a folder that can be uploaded as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from fairweight.core.artifacts import link_or_copy, write_text
from fairweight.inference.onnx_file import TOKENIZER
from fairweight.reporting.hub.datacards import Card, data_card
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
            if file.exists():  # only models of texts have a tokenizer
                link_or_copy(file, target / name)
    for card in study.cards:
        dataset = card["dataset"]
        text = data_card(cast(Card, card), task_of(study.study["datasets"][dataset]))
        write_text(place / "datasets" / dataset / "README.md", text)

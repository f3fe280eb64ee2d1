"""Write all cards of a study, each into a folder that can be uploaded as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from fairweight.core.artifacts import link_or_copy, write_text
from fairweight.inference.onnx_file import TOKENIZER
from fairweight.reporting.hub.datacards import Card, data_card
from fairweight.reporting.hub.files import KEYS, cells_with_files, path_of, shipped_file
from fairweight.reporting.hub.modelcards import model_card
from fairweight.reporting.hub.tasks import task_of
from fairweight.reporting.quality import refuse_numbers
from fairweight.reporting.report.results import Results


def write_cards(results: str, folder: str, lineages: Mapping[str, list[str]]) -> None:
    """Write `models/{dataset}/{augmentation}/{model}/{variant}/` (card and file) and `datasets/{dataset}/` (card).

    Args:
        results: the study's folder.
        folder: folder to fill.
        lineages: variant -> itself and its ancestors.
    """
    study, place = Results.read(results), Path(folder)
    refuse_numbers(study, "cards")
    for cell in cells_with_files(study.assessments):
        made = Path(results) / path_of(cell, shipped_file(study, cell).seed)
        target = place.joinpath("models", *(cell[key] for key in KEYS))
        write_text(target / "README.md", model_card(study, cell, lineages[cell["variant"]]))
        for name in ("model.onnx", TOKENIZER):
            if (made / name).exists():  # only models of texts have a tokenizer
                link_or_copy(made / name, target / name)
    for card in study.cards:
        dataset = card["dataset"]
        text = data_card(cast(Card, card), task_of(study.study["datasets"][dataset]))
        write_text(place / "datasets" / dataset / "README.md", text)

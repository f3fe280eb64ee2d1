"""Questions with several answers: which answer a language model finds most likely."""

import numpy as np

from fairweight.core.text_sets import QUESTION, questions
from fairweight.evaluation.metric_rows import Array, Assessed, MetricRow, metric_row, subsets
from fairweight.statistics.intervals import wilson


def measure(assessed: Assessed) -> list[MetricRow]:
    """Accuracy of the chosen answers, and flips of the choice against the baseline.

    The chosen answer is the one with the highest log p(answer | question) per byte of the answer: the likelihood of
    question and answer together less that of the question alone. Without the division, short answers win (`acc_norm`
    of Gao et al. 2021, lm-evaluation-harness). Intervals are Wilson's at 95 %, over questions.

    Returns:
        One row per metric, for all questions and each group; none where there are no questions.
    """
    if assessed.nll is None or assessed.pairs is None or assessed.utf8_bytes is None:
        return []
    if not (np.abs(assessed.pairs) >= QUESTION).any():
        return []
    rows = []
    for attribute, group, member in subsets(assessed):
        numbers, lengths = assessed.pairs[member], assessed.utf8_bytes[member]
        chosen, right, chance = choices(numbers, assessed.nll[member], lengths)
        if not len(chosen):
            continue
        about = attribute, group, assessed.smallest_group
        rows.append(_share("choice_accuracy", chosen == right, *about, by_chance=chance))
        if assessed.baseline_nll is not None:
            before, _, _ = choices(numbers, assessed.baseline_nll[member], lengths)
            rows.append(_share("choice_flips", chosen != before, *about))
    return rows


def choices(numbers: Array, nll: Array, lengths: Array) -> tuple[Array, Array, float]:
    """Position among the answers of the chosen one and of the right one, for each question (q,); accuracy by chance.

    Args:
        numbers: (n,) numbers of the texts, see `core.text_sets`.
        nll: (n,) negative log-likelihood of each text.
        lengths: (n,) bytes of each text.
    """
    chosen, right, chance = [], [], []
    for alone, answers, is_right in questions(numbers).values():
        length = np.maximum(lengths[answers] - lengths[alone], 1)
        chosen.append(int(((nll[answers] - nll[alone]) / length).argmin()))
        right.append(is_right.index(True))
        chance.append(1 / len(answers))
    return np.array(chosen, int), np.array(right, int), float(np.mean(chance)) if chance else 0.0


def _share(
    metric: str, hits: Array, attribute: str | None, group: str | None, smallest: int, by_chance: float | None = None
) -> MetricRow:
    """Share of questions with a hit (q,), with Wilson's interval."""
    low, high = wilson(float(hits.sum()), float(len(hits)))
    return metric_row(
        metric,
        float(hits.mean()),
        n=len(hits),
        attribute=attribute,
        group=group,
        interval=(float(low), float(high)),
        by_chance=by_chance,
        smallest=smallest,
    )

"""Numbers of texts that belong together: sentences of a pair, and a question with its answers (NumPy only).

A text without a partner has the number 0. The sentences of pair n have the numbers n and -n. A question n stands alone
in one text, and in front of each answer in others.
"""

import numpy as np
from numpy.typing import NDArray

QUESTION = 2**40  # numbers of pairs are smaller

Numbers = NDArray[np.int64]


def question(number: int) -> int:
    """Number of the text of a question alone."""
    return 2 * QUESTION + number


def answer(number: int, *, right: bool) -> int:
    """Number of the text of a question with one of its answers."""
    return QUESTION + number if right else -(QUESTION + number)


def is_paired(numbers: Numbers) -> NDArray[np.bool_]:
    """Whether texts (n,) are sentences of pairs."""
    return (numbers != 0) & (np.abs(numbers) < QUESTION)


def questions(numbers: Numbers) -> dict[int, tuple[int, list[int], list[bool]]]:
    """Questions with all their texts.

    Args:
        numbers: (n,) numbers of texts.

    Returns:
        Number of a question -> position of its text, positions of its answers, and which answer is right. Questions
        without exactly one right answer, or with no wrong one, are left out.
    """
    alone = {int(number - 2 * QUESTION): i for i, number in enumerate(numbers) if number >= 2 * QUESTION}
    answers: dict[int, list[int]] = {}
    for position in np.flatnonzero((np.abs(numbers) >= QUESTION) & (numbers < 2 * QUESTION)):
        answers.setdefault(int(abs(numbers[position]) - QUESTION), []).append(int(position))
    whole = {}
    for number, positions in answers.items():
        right = [bool(numbers[position] > 0) for position in positions]
        if number in alone and sum(right) == 1 and len(right) > 1:
            whole[number] = (alone[number], positions, right)
    return whole

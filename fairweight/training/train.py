"""Training of a model from its initial weights: random numbers, or a published encoder."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, TypedDict

import torch
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.data.partitions import DEFAULT, Partitions
from fairweight.training.initial_weights import InitialWeights
from fairweight.training.model import Model, ModelDescription, TextCounts, narrowed
from fairweight.training.signature import DEFAULT_TASK, Signature
from fairweight.training.tokenizer import count_truncated
from fairweight.training.tracing import check_outputs
from fairweight.training.train_linear import fit_linear, linear_model
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import fit, precision, write_curve
from fairweight.training.written_model import write_checked


def train(
    *,
    table: str,
    split: str,
    augmented: str,
    model: str,
    about: str,
    curve: str,
    architecture: MethodRecipe,
    recipe: TrainingRecipe,
    seed: int,
    replicate: int,
    parameters: float = 1.0,
    task: str = DEFAULT_TASK,
    cache: str | None = None,
    threads: int = 1,
    partitions: Partitions = DEFAULT,
) -> None:
    """Train a model from its initial weights.

    Args:
        table, split, augmented: Parquet files of the data.
        model, about, curve: safetensors, JSON and Parquet files to write.
        architecture: name and options of the architecture.
        recipe: the training recipe of the study file.
        seed, replicate: key of the initialisation and of the order of rows.
        parameters: share of the architecture's parameters that a narrower network has.
        task: the dataset's task.
        cache: the study's cache folder for published files, if it sets one.
        threads, partitions: what `lbfgs` computes on; `threads` are also the ranks of a recipe with micro-batches. They
            change no result.

    Raises:
        InputError: the architecture does not fit the data, its outputs are not logits, training diverged, or the
            network cannot be rebuilt from its files.
    """
    data = TrainingData.read(table, split, augmented)
    if recipe["optimizer"] == "lbfgs":
        made: ModelDescription = {"recipe": recipe, "seed": seed, "replicate": replicate, "precision": "float32"}
        _train_linear(data, (model, about, curve), architecture, made, task, threads, partitions)
        return
    signature, initial, texts = dataclasses.replace(data.signature(), task=task), None, data.texts()
    if texts is not None:
        initial = _initial_weights(texts, architecture, cache)
        signature, architecture = dataclasses.replace(signature, text=initial.tokenizer), architecture | initial.options
    torch.manual_seed(integer("initialise", seed, replicate))
    description: ModelDescription = {"signature": signature.to_dict(), "architecture": architecture}
    if parameters < 1:
        description["architecture"] = narrowed(description, parameters)
        torch.manual_seed(integer("initialise", seed, replicate))
    built = Model(description) if initial is None else _initialised(description, initial)
    data.fit(built.encoder)
    place, example = f"models: architecture {architecture['architecture']}", data.example(built)
    with _place_in_study_file(architecture):
        check_outputs(built.body, example, signature.outputs)
    history = fit(built, data, recipe, order=integer("order", seed, replicate), ranks=threads)
    write_checked(
        built,
        model,
        about,
        example,
        place,
        recipe=recipe,
        seed=seed,
        replicate=replicate,
        precision=precision(recipe),
        **_text_counts(texts, signature),
    )
    write_curve(curve, history)


def _train_linear(
    data: TrainingData,
    paths: tuple[str, str, str],
    architecture: MethodRecipe,
    about: ModelDescription,
    task: str,
    threads: int,
    partitions: Partitions,
) -> None:
    """Train one linear layer with L-BFGS, and write model, description and training curve to these paths."""
    built = linear_model(data, architecture, task)
    history, minimum = fit_linear(built, data, about["recipe"], threads=threads, partitions=partitions)
    about["minimum"] = minimum
    place = f"models: architecture {architecture['architecture']}"
    write_checked(built, paths[0], paths[1], data.example(built), place, **about)
    write_curve(paths[2], history)


def _initial_weights(texts: NDArray[Any], architecture: MethodRecipe, cache: str | None) -> InitialWeights:
    """Call the architecture's function `start`, which returns a tokenizer and the weights that training starts from."""
    options = components.chosen(architecture, name="architecture")
    with _place_in_study_file(architecture):
        start = components.load("architectures", architecture["architecture"], "start")
        initial: InitialWeights = start(texts, cache=cache, **options)
    return initial


def _initialised(description: ModelDescription, initial: InitialWeights) -> Model:
    """Build a model and load its initial weights."""
    with _place_in_study_file(description["architecture"]):
        built = Model(description)
        initial.load(built.body)
    return built


@contextlib.contextmanager
def _place_in_study_file(architecture: MethodRecipe) -> Iterator[None]:
    """Prefix errors about an architecture or its published files with its place in the study file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"models: architecture {architecture['architecture']}: {str(error).rstrip('.')}.") from None


class _TextsEntry(TypedDict, total=False):
    texts: TextCounts


def _text_counts(texts: NDArray[Any] | None, signature: Signature) -> _TextsEntry:
    """Count training texts, and those that are cut; nothing for other forms of rows."""
    if signature.text is None or texts is None:
        return {}
    return {"texts": {"training": len(texts), "cut": count_truncated(signature.text, texts)}}

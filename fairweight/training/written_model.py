"""Writing of a model, with the proof that its files alone rebuild the network that was trained or compressed."""

from typing import Unpack

from torch import Tensor

from fairweight.core.errors import InputError
from fairweight.training import module_surgery
from fairweight.training.model import Model, ModelDescription
from fairweight.training.tracing import check_outputs, equal_outputs, reason_of

REMEDY = "a network is rebuilt from its architecture, its parameters and its buffers, and must depend on nothing else"


def write_checked(
    model: Model, path: str, about_path: str, features: Tensor, place: str, **about: Unpack[ModelDescription]
) -> Model:
    """Write a model, rebuild it from the files, and compare the outputs of the two.

    Args:
        model: the model.
        path, about_path: safetensors and JSON files to write.
        features: (n, ...), an example.
        place: place in the study file, for messages.
        about: further entries of the description; see `Model.save`.

    Returns:
        The rebuilt model.

    Raises:
        InputError: the outputs are not logits, or the model cannot be rebuilt.
    """
    classes = model.signature.outputs
    try:
        expected = check_outputs(model.body, features, classes)
    except InputError as error:
        raise InputError(f"{place}: the network cannot be used: {error}.") from None
    model.save(path, about_path, **_with_attributes(model, about))
    try:
        rebuilt = Model.load(path, about_path)
        actual = check_outputs(rebuilt.body, features, classes)
    except Exception as error:  # whatever an architecture of a user's own runs into
        raise InputError(f"{place}: the written network does not run ({reason_of(error)}); {REMEDY}.") from None
    if not equal_outputs(actual, expected):
        difference = float((actual - expected).abs().max())
        raise InputError(
            f"{place}: the written network computes something else (its logits differ by {difference:.2g}); {REMEDY}."
        )
    return rebuilt


def _with_attributes(model: Model, about: ModelDescription) -> ModelDescription:
    """The description with the sizes of layers that neither the architecture nor the shapes of tensors determine."""
    description: ModelDescription = {**model.about, **about}
    description.pop("attributes", None)
    try:
        built = module_surgery.attributes(Model(description).body)
    except Exception:  # the comparison after writing reports it
        return about
    own = module_surgery.attributes(model.body)
    changed: module_surgery.Attributes = {
        name: values
        for name in own
        if name in built and (values := {k: v for k, v in own[name].items() if built[name].get(k, v) != v})
    }
    if changed or "attributes" in model.about:
        return {**about, "attributes": changed}
    return about

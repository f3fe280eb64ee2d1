"""Model: an input encoder fitted on training rows, and a body built by an architecture."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from fairweight.core import components
from fairweight.core.artifacts import read_weights, write_weights
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.core.table import Table
from fairweight.training import module_surgery
from fairweight.training.input_encoders import Encoder
from fairweight.training.model_inputs import input_tensors
from fairweight.training.signature import Signature, SignatureDict


class TextCounts(TypedDict):
    """Number of training texts, and of those that are longer than the tokenizer's length."""

    training: int
    cut: int


class Minimum(TypedDict):
    """What L-BFGS reached; see `lbfgs.Solution`."""

    objective: float  # nats
    gradient_norm: float  # largest absolute component
    iterations: int
    evaluations: int  # passes over all rows
    converged: bool
    rows: int


class ModelDescription(TypedDict, total=False):
    """Contents of model.json: what rebuilds the model, and how it was made."""

    signature: SignatureDict
    architecture: MethodRecipe
    recipe: TrainingRecipe  # of the training run
    seed: int
    replicate: int
    imported: bool  # its weights come from a file of the user's own
    precision: str
    minimum: Minimum  # where the optimizer is lbfgs
    texts: TextCounts
    ranks: dict[str, int]  # factorised layers, by name
    shapes: dict[str, list[int]]  # tensors of the body, where they differ from what the architecture builds
    attributes: module_surgery.Attributes  # sizes of layers that the shapes do not determine
    plain: bool  # weights that the architecture computes from other tensors have become ordinary ones
    uncut: list[str]  # layers that a pruning method that cuts layers left as they were
    sparsity: dict[str, float]  # share of zeros by tensor, and of `all`
    pruning: MethodRecipe
    factorization: MethodRecipe
    distillation: MethodRecipe
    encoding: MethodRecipe


class Model(nn.Module):
    """Input encoder and body, rebuilt from a description alone.

    Args:
        about: signature, and architecture with its options; and, where layers differ from what the architecture builds,
            `plain`, `ranks` of factorised layers, `shapes` of the body's tensors and `attributes` of its layers.

    Raises:
        InputError: the architecture does not fit the inputs.
    """

    def __init__(self, about: ModelDescription) -> None:
        super().__init__()
        self.about = about.copy()
        self.signature = Signature.from_dict(about["signature"])
        self.task = components.module("tasks", self.signature.task)
        self.encoder = Encoder.from_signature(self.signature)
        self.body = self.new_body()
        if about.get("plain"):
            module_surgery.make_plain(self.body)
        self.body = module_surgery.factorize(self.body, about.get("ranks", {}))
        module_surgery.reshape(self.body, about.get("shapes", {}))
        module_surgery.set_attributes(self.body, about.get("attributes", {}))

    def new_body(self) -> nn.Module:
        """Build a body as the architecture initialises it.

        Raises:
            InputError: the architecture returns something else than an ordinary module with parameters of known size.
        """
        recipe = self.about["architecture"]
        options = components.chosen(recipe, name="architecture")
        build = components.load("architectures", recipe["architecture"])
        body: nn.Module = build(tuple(self.encoder.features), self.signature.outputs, **options)
        if problem := _unusual(body):
            raise InputError(f"architecture {recipe['architecture']!r}: {problem}.")
        return body

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the network's outputs from input tensors in the order of `model_inputs.input_tensors`.

        Logits (n, classes), or a number in the unit of the label (n, 1).
        """
        outputs: Tensor = self.body(self.encoder(*inputs))
        if (label := self.signature.label) is not None:
            outputs = outputs * label["scale"] + label["mean"]
        return outputs

    def encode(self, table: Table) -> Tensor:
        """Compute the features of a table's rows (n, ...)."""
        inputs = [torch.from_numpy(array) for array in input_tensors(self.signature, table).values()]
        with torch.no_grad():
            features: Tensor = self.encoder(*inputs)
        return features

    def prunable(self) -> dict[str, Tensor]:
        """Return the body's weight matrices and kernels, by name; biases and other vectors are never pruned."""
        return {name: p for name, p in self.body.named_parameters() if p.dim() >= 2}

    def make_plain(self) -> None:
        """Replace weights that are computed from other tensors, as under weight norm, by ordinary ones, in place."""
        if module_surgery.make_plain(self.body):
            self.about["plain"] = True

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return parameters and buffers by name; a tensor that several layers share is there once."""
        aliases = module_surgery.aliases(self)
        return {name: tensor.numpy() for name, tensor in self.state_dict().items() if name not in aliases}

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Load what `tensors` returned, in place.

        Raises:
            RuntimeError: names or shapes do not fit.
        """
        state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        shared = {alias: state[name] for alias, name in module_surgery.aliases(self).items() if name in state}
        self.load_state_dict(shared | state)

    def save(self, path: str, about_path: str, **about: Unpack[ModelDescription]) -> None:
        """Write the weights as safetensors and the description as JSON; `about` adds to the description."""
        write_weights(path, self.tensors(), {**self.about, **about}, about_path)

    @classmethod
    def load(cls, path: str, about_path: str) -> "Model":
        """Inverse of `save`.

        Raises:
            InputError: weights and description do not fit each other.
        """
        weights, about = read_weights(path, about_path)
        model = cls(cast(ModelDescription, about))
        try:
            model.load_tensors(weights)
        except RuntimeError as error:
            raise InputError(f"{path} does not fit {about_path} ({error}); make both again") from None
        return model.eval()


def _unusual(body: object) -> str:
    """Why something that an architecture returns cannot be trained, compressed and exported; empty if it can."""
    if not isinstance(body, nn.Module):
        return f"it returns a {type(body).__name__} and not a torch.nn.Module"
    for module in body.modules():
        # by name: importing the class of compiled modules takes a second
        if isinstance(module, torch.jit.ScriptModule) or type(module).__name__ == "OptimizedModule":
            return "it returns a scripted or compiled module; return the module itself, which engines compile"
    for name, parameter in body.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            return f"{name!r} has no size before the network runs; give its layer the size, from `features`"
    return ""


def narrowed(about: ModelDescription, share: float) -> MethodRecipe:
    """Reduce the width of an architecture until it has about this share of its parameters.

    Args:
        about: description of a model.
        share: wanted share of the parameters, below 1.

    Returns:
        The recipe of the architecture with the width that comes nearest.

    Raises:
        InputError: the architecture has no option `width_factor`.
    """
    recipe = dict(about["architecture"])
    if "width_factor" not in components.options("architectures", recipe["architecture"]):
        raise InputError(
            f"architecture {recipe['architecture']!r} has no option 'width_factor' to make it smaller with"
        )

    def parameters(width: float) -> int:
        narrower: ModelDescription = {**about, "architecture": recipe | {"width_factor": width}}
        return sum(p.numel() for p in Model(narrower).body.parameters())

    full = float(recipe.get("width_factor", 1.0))
    wanted, low, high = share * parameters(full), 0.0, full
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if parameters(middle) < wanted else (low, middle)
    return recipe | {"width_factor": min((low, high), key=lambda w: abs(parameters(w) - wanted))}

"""Finetuning of a trained model by a compression method: the implementation of `method_api.Network`."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from fairweight.compression.method_api import State
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.recipes import TrainingRecipe
from fairweight.training.model import Model
from fairweight.training.module_surgery import make_plain
from fairweight.training.tracing import output_weights
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import Constraint, Distillation, EpochRow, fit


class Trained:
    """A model and the data that it was trained on.

    Args:
        model: its body is changed in place; weights that are computed from other tensors become ordinary ones.
        data: the rows of its seed and augmentation.
        recipe: training recipe of finetuning.
        variant, seed: key of the random streams.
        distillation: replaces the loss of the labels of a batch; see `training_loop`.
    """

    def __init__(
        self,
        model: Model,
        data: TrainingData,
        recipe: TrainingRecipe,
        *,
        variant: str,
        seed: int,
        distillation: Distillation | None = None,
    ) -> None:
        model.make_plain()
        self.model, self.data, self.recipe, self.distillation = model, data, recipe, distillation
        self.variant, self.seed = variant, seed
        self.epochs = int(recipe["epochs"])
        self.history: list[EpochRow] = []
        self.random = torch.Generator().manual_seed(integer("compress", variant, seed))
        self._trainings = 0

    @property
    def body(self) -> nn.Module:
        """The network behind the encoder."""
        return self.model.body

    @body.setter
    def body(self, body: nn.Module) -> None:
        self.model.body = body

    @property
    def example(self) -> Tensor:
        """Features of two training rows."""
        return self.data.example(self.model)

    @property
    def outputs(self) -> list[str]:
        """Names of the weights whose products are the outputs."""
        return output_weights(self.body, self.example)

    def train(self, masks: dict[str, Tensor], epochs: int, **changes: Any) -> None:
        """Train in place, with masked weights kept at zero; `changes` replace keys of the training recipe."""
        self._fit(epochs, changes, masks=masks)

    def features(self, rows: int) -> Tensor:
        """Features of at most `rows` training rows, drawn at random."""
        drawn = torch.randperm(len(self.data), generator=self.random)[:rows]
        return self.data.features(self.model, drawn.numpy())

    def train_shared(self, clusters: dict[str, Tensor], epochs: int) -> None:
        """Train in place, with the weights of a cluster kept equal: they share the sum of their gradients.

        Source: Han et al. (2016). The optimizer sees equal weights with equal gradients and equal state, and so keeps
        them equal.
        """
        places = {name: torch.nonzero(c.flatten() >= 0).squeeze(1) for name, c in clusters.items()}
        members = {name: c.flatten()[places[name]] for name, c in clusters.items()}
        sizes = {name: int(m.max()) + 1 if len(m) else 0 for name, m in members.items()}

        def share(parameters: dict[str, nn.Parameter]) -> None:
            for name, member in members.items():
                gradient = parameters[name].grad
                if gradient is not None:
                    own = gradient.flatten()[places[name]]
                    summed = torch.zeros(sizes[name]).index_add_(0, member, own)
                    shared = torch.zeros(gradient.numel())
                    shared[places[name]] = summed[member]
                    gradient.copy_(shared.view(gradient.shape))

        self._fit(epochs, {}, constrain=share)

    def _fit(
        self,
        epochs: int,
        changes: dict[str, Any],
        *,
        masks: dict[str, Tensor] | None = None,
        constrain: Constraint | None = None,
    ) -> None:
        """Train with the recipe and its changes, and append to the history."""
        if not epochs:
            return
        torch.manual_seed(integer("initialise", self.variant, self.seed))  # for random numbers that a body draws itself
        # the first training keeps the key of finetuning, so that its result is reproduced to the bit
        key = (self.variant, self.seed) if not self._trainings else (self.variant, self.seed, self._trainings)
        self._trainings += 1
        curve = fit(
            self.model,
            self.data,
            cast("TrainingRecipe", {**self.recipe, **changes, "epochs": epochs}),
            order=integer("finetune", *key),
            distillation=self.distillation,
            masks=masks,
            constrain=constrain,
        )
        before = len(self.history)
        self.history += [row | {"epoch": before + row["epoch"]} for row in curve]

    def apply(self, masks: dict[str, Tensor]) -> None:
        """Set masked weights to zero."""
        with torch.no_grad():
            for name, mask in masks.items():
                self.body.get_parameter(name).mul_(mask)

    def gradients(self, rows: int) -> dict[str, Tensor]:
        """Gradient of the mean cross-entropy over at most `rows` training rows; 0 for a parameter that is not used."""
        total: dict[str, Tensor] = {}
        for share, gradients in self._gradients(rows):
            for name, gradient in gradients.items():
                total[name] = share * gradient + total[name] if name in total else share * gradient
        return {name: torch.zeros_like(p) for name, p in self.body.named_parameters() if name not in total} | total

    def taylor(self, maps: list[str], rows: int, groups: int = 1) -> dict[str, Tensor]:
        """Score the inputs of linear maps by the mean over batches of |sum of gradient x weight|; see `Network`."""
        numbers = {name: self.body.get_parameter(f"{name}.weight").shape[1] // groups for name in maps}
        scores = {name: torch.zeros(number) for name, number in numbers.items()}
        for share, gradients in self._gradients(rows):
            for name in maps:
                product = gradients[f"{name}.weight"] * self.body.get_parameter(f"{name}.weight").detach()
                scores[name] += share * product.sum(dim=0).view(-1, groups).sum(dim=1).abs()
        return scores

    def _gradients(self, rows: int) -> Iterator[tuple[float, dict[str, Tensor]]]:
        """Share and gradient of the mean cross-entropy of each batch of at most `rows` drawn training rows."""
        training, _ = self.data.encoded(self.model)
        drawn = torch.randperm(len(training.labels), generator=self.random)[:rows]
        self.body.eval()
        encoder = self.model.encoder
        for batch in encoder.batches(training.features, drawn, encoder.max_rows):
            self.body.zero_grad()
            logits = self.body(encoder.trim(training.at(batch)))
            if self.model.signature.label is None:
                nn.functional.cross_entropy(logits, training.labels[batch]).backward()
            else:
                nn.functional.mse_loss(logits[:, 0], training.labels[batch]).backward()
            named = self.body.named_parameters(remove_duplicate=False)
            yield len(batch) / len(drawn), {name: p.grad for name, p in named if p.grad is not None}
        self.body.zero_grad()

    def early(self, epochs: int) -> State:
        """The root's weights after `epochs` epochs, from a repeated training; 0 is its initialisation."""
        about = self.model.about
        if about.get("imported"):
            raise InputError("an imported model is not rewound: the weights that its training started from are unknown")
        initialisation = integer("initialise", about["seed"], about["replicate"])
        if not epochs:
            return _plain_state(self._initialised(initialisation))
        model = Model({"signature": about["signature"], "architecture": about["architecture"]})
        model.encoder.load_state_dict(self.model.encoder.state_dict())
        model.body = self._initialised(initialisation)  # after `Model`, which also draws random numbers
        recipe = about["recipe"] | {"epochs": epochs}
        fit(model, self.data, recipe, order=integer("order", about["seed"], about["replicate"]))
        return model.body.state_dict()

    def restore(self, state: State) -> None:
        """Load these weights.

        Raises:
            InputError: they are those of a network with other layers.
        """
        wanted, own = ({name: t.shape for name, t in s.items()} for s in (state, self.body.state_dict()))
        if other := [name for name in wanted | own if wanted.get(name) != own.get(name)]:
            raise InputError(
                f"the parent's {other[0]!r} is not as the architecture builds it, so the network cannot be rewound; "
                "start from a parent whose layers are neither cut nor factorized"
            )
        self.body.load_state_dict(state)

    def reinitialise(self) -> None:
        """Draw an initialisation that differs from the root's."""
        key = ("initialise", self.variant, self.seed, self.model.about["replicate"])
        self.restore(_plain_state(self._initialised(integer(*key))))

    def _initialised(self, seed: int) -> nn.Module:
        if self.model.signature.text is not None:
            raise InputError("a model for texts starts from weights or terms that are not drawn, so it is not rewound")
        torch.manual_seed(seed)
        return self.model.new_body()


def _plain_state(body: nn.Module) -> State:
    """Values of a body whose weights have been made ordinary ones."""
    make_plain(body)
    return body.state_dict()

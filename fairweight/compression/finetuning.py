"""A trained model in the hands of a compression method: what `network.Network` promises."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairweight.compression.method_api import State
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.training.model import Model
from fairweight.training.train import Data, fit


class Trained:
    """A model and the data that it was trained on.

    Args:
        model: its body is changed in place.
        data: the rows of its seed and augmentation.
        recipe: the training recipe of finetuning.
        variant, seed: key of the random streams.
        distillation: (features, logits, loss of the labels) of a batch -> the loss to learn by instead.
    """

    def __init__(
        self, model: Model, data: Data, recipe: dict[str, Any], *, variant: str, seed: int,
        distillation: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.data, self.recipe, self.distillation = model, data, recipe, distillation
        self.variant, self.seed = variant, seed
        self.epochs = int(recipe["epochs"])
        self.history: list[dict[str, Any]] = []
        self.random = torch.Generator().manual_seed(integer("compress", variant, seed))
        self._trainings = 0

    @property
    def body(self) -> nn.Module:
        """The network behind the encoder."""
        return self.model.body

    @property
    def example(self) -> Tensor:
        """Features of two training rows."""
        return self.model.encode(self.data.training.take(np.arange(2)))

    def train(self, masks: dict[str, Tensor], epochs: int, **changes: Any) -> None:
        """Train in place, with masked weights kept at zero; `changes` are those of the training recipe."""
        self._fit(epochs, changes, masks=masks)

    def features(self, rows: int) -> Tensor:
        """Features of so many training rows, at most."""
        drawn = torch.randperm(len(self.data.training), generator=self.random)[:rows]
        return self.model.encode(self.data.training.take(drawn.numpy()))

    def train_shared(self, clusters: dict[str, Tensor], epochs: int) -> None:
        """Train in place, with weights of one cluster kept equal: they share the sum of their gradients (Han et al. 2016).

        The optimizer sees equal weights with equal gradients and equal pasts, and so keeps them equal.
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

    def _fit(self, epochs: int, changes: dict[str, Any], **constraints: Any) -> None:
        if not epochs:
            return
        torch.manual_seed(integer("initialise", self.variant, self.seed))  # for what an architecture draws as it trains
        # the first training has the key that finetuning has always had, so that it is repeated to the bit
        key = (self.variant, self.seed) if not self._trainings else (self.variant, self.seed, self._trainings)
        self._trainings += 1
        made = fit(
            self.model, self.data, self.recipe | changes | {"epochs": epochs},
            order=integer("finetune", *key), distillation=self.distillation, **constraints,
        )  # fmt: skip
        before = len(self.history)
        self.history += [entry | {"epoch": before + entry["epoch"]} for entry in made]

    def apply(self, masks: dict[str, Tensor]) -> None:
        """Set masked weights to zero."""
        with torch.no_grad():
            for name, mask in masks.items():
                self.body.get_parameter(name).mul_(mask)

    def gradients(self, rows: int) -> dict[str, Tensor]:
        """Gradient of the mean cross-entropy over so many training rows, by parameter."""
        found: dict[str, Tensor] = {}
        for share, gradients in self._gradients(rows):
            for name, gradient in gradients.items():
                found[name] = share * gradient + found[name] if name in found else share * gradient
        return found

    def taylor(self, maps: list[str], rows: int, groups: int = 1) -> dict[str, Tensor]:
        """For each linear map, the mean over batches of |sum of gradient x weight| of each of its inputs (groups of so many)."""
        columns = {name: self.body.get_parameter(f"{name}.weight").shape[1] // groups for name in maps}
        found = {name: torch.zeros(number) for name, number in columns.items()}
        for share, gradients in self._gradients(rows):
            for name in maps:
                product = gradients[f"{name}.weight"] * self.body.get_parameter(f"{name}.weight").detach()
                found[name] += share * product.sum(dim=0).view(-1, groups).sum(dim=1).abs()
        return found

    def _gradients(self, rows: int) -> Iterator[tuple[float, dict[str, Tensor]]]:
        """Share of the rows and gradient of their mean cross-entropy, batch by batch of so many training rows."""
        training, _ = self.data.encoded(self.model)
        drawn = torch.randperm(len(training.labels), generator=self.random)[:rows]
        self.body.eval()
        encoder = self.model.encoder
        for batch in encoder.batches(training.features, drawn, encoder.most_rows):
            self.body.zero_grad()
            logits = self.body(encoder.cut(training.features[batch]))
            nn.functional.cross_entropy(logits, training.labels[batch]).backward()
            yield len(batch) / len(drawn), {n: p.grad for n, p in self.body.named_parameters() if p.grad is not None}
        self.body.zero_grad()

    def early(self, epochs: int) -> State:
        """The root's weights after so many epochs of its training, by repeating it; 0 is its initialisation."""
        about = self.model.about
        body = self._initialised(integer("initialise", about["seed"], about["replicate"]))
        if epochs:
            model = copy.deepcopy(self.model)
            model.body = body
            recipe = about["recipe"] | {"epochs": epochs}
            fit(model, self.data, recipe, order=integer("order", about["seed"], about["replicate"]))
        return body.state_dict()

    def restore(self, state: State) -> None:
        """Take these weights."""
        self.body.load_state_dict(state)

    def reinitialise(self) -> None:
        """Draw an initialisation that is not the root's."""
        key = ("initialise", self.variant, self.seed, self.model.about["replicate"])
        self.restore(self._initialised(integer(*key)).state_dict())

    def _initialised(self, seed: int) -> nn.Module:
        if self.model.signature.text is not None:
            raise InputError("a model for texts starts from weights or terms that are not drawn, so it is not rewound")
        torch.manual_seed(seed)
        return self.model.new_body()

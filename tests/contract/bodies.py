"""Architectures as users write them, which a recipe names as `bodies:name`: one kind of layer or connection each."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

WIDTH = 12


class Body(nn.Module):
    """Layers by name, and the function that connects them."""

    def __init__(self, connect, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.connect = connect

    def forward(self, x):
        return self.connect(self, x)


def sequence(x):
    """Rows (n, d) as sequences (n, d, 1)."""
    return x.unsqueeze(2)


def signal(x):
    """Rows (n, d) as signals of one channel (n, 1, d)."""
    return x.unsqueeze(1)


def picture(x):
    """Rows (n, d) as images (n, 1, 3, 3)."""
    return x[:, :9].reshape(-1, 1, 3, 3)


def hidden(features):
    return nn.Linear(features[0], WIDTH)


# ---- layers in unusual places


def bare_layer(features, classes):
    return nn.Linear(features[0], classes)


def head_first(features, classes):
    return Body(
        lambda body, x: body.head(torch.relu(body.second(torch.relu(body.first(x))))),
        head=nn.Linear(WIDTH, classes),
        first=hidden(features),
        second=nn.Linear(WIDTH, WIDTH),
    )


def two_heads(features, classes):
    return Body(
        lambda body, x: torch.cat(
            [body.single(torch.relu(body.first(x))), body.rest(torch.relu(body.first(x)))], dim=1
        ),
        single=nn.Linear(WIDTH, 1),
        rest=nn.Linear(WIDTH, classes - 1),
        first=hidden(features),
    )


def list_of_heads(features, classes):
    heads = nn.ModuleList([nn.Linear(WIDTH, 1) for _ in range(classes)])
    return Body(
        lambda body, x: torch.cat([head(torch.relu(body.first(x))) for head in body.heads], dim=1),
        heads=heads,
        first=hidden(features),
    )


def normalised_output(features, classes):
    return nn.Sequential(hidden(features), nn.ReLU(), nn.Linear(WIDTH, classes), nn.BatchNorm1d(classes))


def convolution_output(features, classes):
    return nn.Sequential(
        nn.Unflatten(1, (1, features[0])),
        nn.Conv1d(1, WIDTH, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(WIDTH, classes, 1),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )


def unused_layer(features, classes):
    return Body(
        lambda body, x: body.head(torch.relu(body.first(x))),
        first=hidden(features),
        head=nn.Linear(WIDTH, classes),
        spare=nn.Linear(WIDTH, WIDTH),
    )


# ---- shared and computed weights


def tied(features, classes):
    body = Body(
        lambda body, x: body.out(torch.relu(body.d(torch.relu(body.b(torch.relu(body.a(x))))))),
        a=hidden(features),
        b=nn.Linear(WIDTH, WIDTH),
        d=nn.Linear(WIDTH, WIDTH),
        out=nn.Linear(WIDTH, classes),
    )
    body.d.weight = body.b.weight
    return body


def used_twice(features, classes):
    return Body(
        lambda body, x: body.out(torch.relu(body.b(torch.relu(body.b(torch.relu(body.a(x))))))),
        a=hidden(features),
        b=nn.Linear(WIDTH, WIDTH),
        out=nn.Linear(WIDTH, classes),
    )


def two_names(features, classes):
    layer = nn.Linear(WIDTH, WIDTH)
    return Body(
        lambda body, x: body.out(torch.relu(body.d(torch.relu(body.b(torch.relu(body.a(x))))))),
        a=hidden(features),
        b=layer,
        d=layer,
        out=nn.Linear(WIDTH, classes),
    )


def weight_norm(features, classes):
    layers = [parametrizations.weight_norm(nn.Linear(*sizes)) for sizes in ((features[0], WIDTH), (WIDTH, classes))]
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def old_weight_norm(features, classes):
    first = torch.nn.utils.weight_norm(nn.Linear(features[0], WIDTH))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(WIDTH, classes))


def spectral_norm(features, classes):
    first = parametrizations.spectral_norm(nn.Linear(features[0], WIDTH))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(WIDTH, classes))


def raw_parameter(features, classes):
    return Body(
        lambda body, x: torch.relu(x @ body.inner) @ body.outer,
        inner=nn.Parameter(torch.randn(features[0], WIDTH) * 0.3),
        outer=nn.Parameter(torch.randn(WIDTH, classes) * 0.3),
    )


def weight_read_directly(features, classes):
    return Body(
        lambda body, x: body.head(torch.relu(functional.linear(x, body.first.weight, body.first.bias))),
        first=hidden(features),
        head=nn.Linear(WIDTH, classes),
    )


class Doubled(nn.Linear):
    """A linear layer with a function of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


def own_layer(features, classes):
    return nn.Sequential(Doubled(features[0], WIDTH), nn.ReLU(), nn.Linear(WIDTH, classes))


def hooked_layer(features, classes):
    body = nn.Sequential(hidden(features), nn.ReLU(), nn.Linear(WIDTH, classes))
    body[0].register_forward_hook(lambda layer, inputs, output: output + 1)
    return body


# ---- norms, activations, connections


def layer_norm(features, classes):
    return nn.Sequential(
        hidden(features),
        nn.LayerNorm(WIDTH),
        nn.GELU(),
        nn.Linear(WIDTH, WIDTH),
        nn.LayerNorm(WIDTH, elementwise_affine=False),
        nn.ReLU(),
        nn.Linear(WIDTH, classes),
    )


def batch_norm(features, classes):
    return nn.Sequential(
        hidden(features),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.BatchNorm1d(WIDTH, affine=False),
        nn.ReLU(),
        nn.Linear(WIDTH, classes),
    )


def group_norm(features, classes):
    return nn.Sequential(
        nn.Unflatten(1, (1, features[0])),
        nn.Conv1d(1, WIDTH, 3, padding=1),
        nn.GroupNorm(3, WIDTH),
        nn.ReLU(),
        nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
        nn.InstanceNorm1d(WIDTH, affine=True),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, classes),
    )


def residual(features, classes):
    return Body(
        lambda body, x: body.head(body.first(x) + body.second(body.act(body.first(x)))),
        first=hidden(features),
        second=nn.Linear(WIDTH, WIDTH),
        act=nn.PReLU(WIDTH),
        head=nn.Linear(WIDTH, classes),
    )


def softmax_over_channels(features, classes):
    return nn.Sequential(hidden(features), nn.Softmax(dim=1), nn.Linear(WIDTH, classes))


def size_in_the_code(features, classes):
    return Body(
        lambda body, x: body.head(torch.relu(body.first(x)).view(-1, 4, WIDTH // 4).flatten(1)),
        first=hidden(features),
        head=nn.Linear(WIDTH, classes),
    )


def gate(features, classes):
    def connect(body, x):
        value, switch = body.first(x).chunk(2, dim=1)
        return body.head(value * torch.sigmoid(switch))

    return Body(connect, first=nn.Linear(features[0], 2 * WIDTH), head=nn.Linear(WIDTH, classes))


# ---- convolutions


def depthwise_signal(features, classes):
    return nn.Sequential(
        nn.Unflatten(1, (1, features[0])),
        nn.Conv1d(1, WIDTH, 3, padding=1),
        nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
        nn.Conv1d(WIDTH, WIDTH, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, classes),
    )


def convolutions(*, groups):
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 3, padding=1, padding_mode="circular"),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 1),
        nn.ReLU(),
        nn.Flatten(),
    )


def depthwise_image(features, classes):
    layers, head = convolutions(groups=WIDTH), nn.Linear(9 * WIDTH, classes)
    return Body(lambda body, x: body.head(body.layers(picture(x))), layers=layers, head=head)


def grouped_image(features, classes):
    layers, head = convolutions(groups=2), nn.Linear(9 * WIDTH, classes)
    return Body(lambda body, x: body.head(body.layers(picture(x))), layers=layers, head=head)


def transposed_convolution(features, classes):
    return nn.Sequential(
        nn.Unflatten(1, (1, features[0])),
        nn.Conv1d(1, WIDTH, 3, stride=2),
        nn.ReLU(),
        nn.ConvTranspose1d(WIDTH, WIDTH, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, classes),
    )


def flattened_across(features, classes):
    """Channels are the last dimension when the signal is flattened."""
    return Body(
        lambda body, x: body.head(torch.relu(body.first(signal(x))).transpose(1, 2).flatten(1)),
        first=nn.Conv1d(1, WIDTH, 3, padding=1),
        head=nn.Linear(WIDTH * features[0], classes),
    )


# ---- attention, embeddings, recurrence


def attention(features, classes):
    def connect(body, x):
        tokens = body.embed(sequence(x)) + body.position
        mixed, _ = body.mix(tokens, tokens, tokens, need_weights=False)
        return body.head(torch.relu(body.norm(tokens + mixed).mean(dim=1)))

    return Body(
        connect,
        embed=nn.Linear(1, WIDTH),
        position=nn.Parameter(torch.randn(1, features[0], WIDTH) * 0.1),
        mix=nn.MultiheadAttention(WIDTH, 2, batch_first=True),
        norm=nn.LayerNorm(WIDTH),
        head=nn.Linear(WIDTH, classes),
    )


def transformer(features, classes):
    layer = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=2 * WIDTH, dropout=0.0, batch_first=True)
    return Body(
        lambda body, x: body.head(body.encoder(body.embed(sequence(x))).mean(dim=1)),
        embed=nn.Linear(1, WIDTH),
        encoder=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
        head=nn.Linear(WIDTH, classes),
    )


class Block(nn.Module):
    """A transformer layer of six linear maps."""

    head_dim = 4

    def __init__(self, *, attention_first=True):
        super().__init__()
        self.attention_first = attention_first
        names = ["query", "key", "value", "output", "widen", "narrow"]
        for name in names if attention_first else [*names[4:], *names[:4]]:
            sizes = {"widen": (WIDTH, 2 * WIDTH), "narrow": (2 * WIDTH, WIDTH)}.get(name, (WIDTH, WIDTH))
            setattr(self, name, nn.Linear(*sizes))

    def forward(self, x):
        maps = [m(x).unflatten(2, (-1, self.head_dim)).transpose(1, 2) for m in (self.query, self.key, self.value)]
        x = x + self.output(functional.scaled_dot_product_attention(*maps).transpose(1, 2).flatten(2))
        return x + self.narrow(torch.relu(self.widen(x)))


def blocks(*layers, classes):
    def connect(body, x):
        x = body.embed(sequence(x))
        for layer in body.blocks:
            x = layer(x)
        return body.head(x.mean(dim=1))

    stack, head = nn.ModuleList(layers), nn.Linear(WIDTH, classes)
    return Body(connect, embed=nn.Linear(1, WIDTH), blocks=stack, head=head)


def own_transformer(features, classes):
    return blocks(Block(), Block(), classes=classes)


def one_layer_in_turn(features, classes):
    block = Block()
    return blocks(block, block, classes=classes)


def feed_forward_first(features, classes):
    return blocks(Block(attention_first=False), Block(attention_first=False), classes=classes)


def embedding(features, classes):
    # whole numbers, so that a rounded input has the same position in the table
    return Body(
        lambda body, x: body.head(torch.relu(body.table(x[:, 2:].round().long()).mean(dim=1) + body.first(x))),
        table=nn.Embedding(2, WIDTH),
        first=hidden(features),
        head=nn.Linear(WIDTH, classes),
    )


def recurrent(kind):
    def build(features, classes):
        return Body(
            lambda body, x: body.head(body.rnn(body.embed(sequence(x)))[0][:, -1]),
            embed=nn.Linear(1, WIDTH),
            rnn=kind(WIDTH, WIDTH, batch_first=True),
            head=nn.Linear(WIDTH, classes),
        )

    return build


def gru(features, classes):
    return recurrent(nn.GRU)(features, classes)


def lstm(features, classes):
    return recurrent(nn.LSTM)(features, classes)


def rnn(features, classes):
    return recurrent(nn.RNN)(features, classes)


def gru_only(features, classes):
    return Body(
        lambda body, x: body.head(body.rnn(sequence(x))[0][:, -1]),
        rnn=nn.GRU(1, WIDTH, batch_first=True),
        head=nn.Linear(WIDTH, classes),
    )

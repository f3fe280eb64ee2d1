import random

import numpy
import torch

with open(snakemake.output[0], "w") as file:
    print(random.random(), numpy.random.random(), torch.rand(1).item(), sep="\n", file=file)

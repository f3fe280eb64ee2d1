# The study as objects, and what the rules ask of it.
import sys

# the workflow's own checkout goes first, whatever is installed
sys.path.insert(0, str(workflow.basedir))

from fairweight import components
from fairweight.code_version import ROOT, code_version
from fairweight.errors import InputError
from fairweight.schema import resolve
from fairweight.study import GIVEN, Study, alternation

try:
    config.update(resolve(config))
    STUDY = Study(config)
except InputError as error:
    raise WorkflowError(f"study file: {error}") from None


def recipe(*path):
    """Recipe at a path of the study file, whose parts may be wildcards in braces."""

    def look(wildcards):
        node = STUDY.config | {"augmentations": STUDY.augmentations}
        for part in path:
            node = node[part.format(**wildcards)]
        return node

    return look


def code(script, **components):
    """Version of the code that a rule runs: its script, and by folder the names of components for given wildcards."""

    def version(wildcards):
        named = [(folder, n) for folder, of in components.items() for n in of(wildcards)]
        return code_version(ROOT / "scripts" / f"{script}.py", components=named)

    return version


def architecture(wildcards):
    """Name of the architecture of a model."""
    return [config["models"][wildcards.model]["architecture"]]


def objective(wildcards):
    """Name of the objective that a variant is trained with."""
    return [STUDY.training_recipe(wildcards.variant)["objective"]["method"]]


def engine(wildcards):
    """Name of the engine."""
    return [wildcards.engine]


def quantization(wildcards):
    """Names of the quantization methods that a variant may run: `auto` chooses among all."""
    method = config["variants"][wildcards.variant]["quantize"]["method"]
    return components.names("quantization") if method == "auto" else [method]


def baseline(pattern):
    """The same file of the variant that this one is compared with; none for a baseline itself."""

    def other(wildcards):
        name = STUDY.baseline(wildcards.variant)
        if name == wildcards.variant:
            return []
        return pattern.format(**(dict(wildcards) | {"variant": name}))

    return other


def parent(pattern):
    """The same file of the parent variant."""
    return lambda wildcards: pattern.format(
        **(dict(wildcards) | {"variant": STUDY.variants[wildcards.variant].parent})
    )

# Versions of the code behind steps, and the names of the components that the steps of a cell run.


def code(script, files=(), **components):
    """Function of wildcards: version of the code behind a rule.

    Args:
        script: below `scripts/`, without its suffix.
        files: further files, relative to the repository, or absolute ones of the package.
        components: folder -> function of wildcards that returns names of components.
    """
    workflow_files = [WORKFLOW / file for file in (f"scripts/{script}.py", *files)]
    paths = tuple(file for file in workflow_files if file.is_file())
    return lambda w: version(paths, *((folder, name) for folder, names in components.items() for name in names(w)))


# a study has thousands of jobs and few combinations of components
@functools.cache
def version(paths, *components):
    """Version of the code behind files and components, which are pairs of folder and name."""
    return code_version(*paths, components=components)


def architecture(wildcards):
    """Names of the architectures of a model and of the students in a variant's lineage."""
    students = [config["variants"][v].get("distill", {}).get("student") for v in STUDY.lineage(wildcards.variant)]
    recipes = [config["models"][wildcards.model], *filter(None, students)]
    return [name for recipe in recipes for name in (recipe["architecture"], recipe.get("module")) if name]


def objective(wildcards):
    """Name of the objective that a variant is trained with."""
    return [STUDY.training_recipe(wildcards.variant)["objective"]["method"]]


def task(wildcards):
    """Name of the task of a dataset."""
    return [STUDY.task(wildcards.dataset)]


def adaptation(wildcards):
    """Name of the method that selects the weights that are trained."""
    return [STUDY.training_recipe(wildcards.variant)["adapt"]["method"]]


def distillation(wildcards):
    """Name of the method by which a pruned model learns from its parent, if it does."""
    return [d["method"] for d in [STUDY.training_recipe(wildcards.variant).get("distillation")] if d]


def operation(wildcards):
    """The operation that makes a variant."""
    return STUDY.variants[wildcards.variant].operation


def method(wildcards):
    """Name of the method of that operation."""
    return [config["variants"][wildcards.variant][operation(wildcards)]["method"]]


def compression(operation, **components):
    """Version of the code behind an operation on float weights, with the components that it names."""
    source = PACKAGE / f"{OPERATIONS[operation].module.replace('.', '/')}.py"
    trained = {"architectures": architecture, "objectives": objective, "adaptations": adaptation, "tasks": task}
    return code("compression/compress", [source], **components, **trained)


def source_schemes(recipe):
    """Function of wildcards: schemes of the sources of a raw file or a model, which name components."""
    sources = lambda w: [recipe(w), *(recipe(w).get("files") or {}).values()]
    return lambda w: sorted({source.split(":")[0] for file in sources(w) for source in file.get("sources") or []})


def engine(wildcards):
    """Name of the engine."""
    return [wildcards.engine]


def reference_engine(wildcards):
    """Name of the engine that others must agree with, and by which files are checked."""
    return [REFERENCE_ENGINE]


def teaches_by_file(wildcards):
    """Whether the parent of a variant is an ONNX file without weights."""
    return STUDY.variants[STUDY.variants[wildcards.variant].parent].record.output == "file"


def teacher_engine(wildcards):
    """Name of the engine in which a parent without weights teaches a student."""
    return [REFERENCE_ENGINE] if teaches_by_file(wildcards) else []


def built_architecture(wildcards):
    """Names of the architectures that an engine builds, if it runs weights instead of the ONNX file."""
    return architecture(wildcards) if components.literal("engines", wildcards.engine, "BUILDS_MODEL") else []


def quantization(wildcards):
    """Names of the quantization methods that a variant may run: one that delegates may run any of its folder."""
    (name,) = method(wildcards)
    return components.names("quantization") if components.literal("quantization", name, "DELEGATES") else [name]

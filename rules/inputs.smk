# Functions of wildcards that name the input files of rules.


def local_sources(file):
    """Local files among the sources, or in a model's folder, which make the rule run again when they change."""
    paths = [local_path(s.removeprefix("file:")) for s in file.get("sources", []) if s.startswith("file:")]
    if file.get("folder"):
        paths += [expanded(file["folder"]) / name for name in FILES]
    return [str(part) for path in paths for part in parts.source_files(path)]


def local_files(model):
    """Files of an imported model; weights beside an ONNX file are not among them."""
    paths = [expanded(model[key]) for key in ("file", "weights", "tokenizer") if model.get(key)]
    return [str(path) for path in paths]


def terms_file(name):
    """Function of wildcards: the file of a list of terms, whose change reruns a rule; none without a name."""

    def file(wildcards):
        terms = name(wildcards)
        return [str(counterfactual_terms.terms_file(terms))] if terms else []

    return file


def training_files(wildcards):
    """Further input of a quantization method that trains, that is, takes a `network`: parent's weights and rows."""
    (name,) = method(wildcards)
    if not components.trains("quantization", name):
        return {}
    folder = "<results>/seed-{seed}/{dataset}/{augmentation}"
    model = parent(f"{folder}/{{model}}/{{variant}}/model")(wildcards)
    return {
        "model": f"{model}.safetensors",
        "about": f"{model}.json",
        "augmented": f"{folder}/augmented.parquet".format(**wildcards),
    }


def teacher_files(wildcards):
    """The parent that a student learns from: its weights, or its ONNX file where it has none."""
    model = parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model")(wildcards)
    if teaches_by_file(wildcards):
        return {"parent": f"{model}.onnx", "parent_about": []}
    return {"parent": f"{model}.safetensors", "parent_about": f"{model}.json"}


def baseline(pattern):
    """Function of wildcards: the same file of the baseline of a variant; none for a baseline itself."""

    def other(wildcards):
        name = STUDY.baseline(wildcards.variant)
        if name == wildcards.variant:
            return []
        return pattern.format(**(dict(wildcards) | {"variant": name}))

    return other


def parent(pattern):
    """Function of wildcards: the same file of the parent variant."""
    return lambda wildcards: pattern.format(**(dict(wildcards) | {"variant": STUDY.variants[wildcards.variant].parent}))

"""Draft of an article's methods, filled in from the study."""

from typing import Any

from fairweight.core.formatting import as_stated, count, points, significant
from fairweight.core.operations import GIVEN, OPERATIONS, of_recipe
from fairweight.core.recipes import TrainingRecipe
from fairweight.energy.amounts import of_study
from fairweight.energy.energy_model import watts_per_core
from fairweight.evaluation import guards
from fairweight.evaluation.criteria import FLOOR_ROWS, GROUP_MARGINS, gap_rates
from fairweight.reporting import goals
from fairweight.reporting.paper.latex import amount, escape, number_text
from fairweight.reporting.report.results import Results
from fairweight.statistics.decision import CLEARLY


def methods(results: Results) -> str:
    """Content of `methods.tex`: data, variants, statistics, energy and reproducibility statements."""
    parts = {
        "Data.": _data(results),
        "Models and variants.": _variants(results),
        "Evaluation and statistics.": _statistics(results),
        "Energy and emissions.": _energy(results),
        "Reproducibility.": _reproducibility(results),
    }
    paragraphs = "\n\n".join(rf"\paragraph{{{title}}} {text}" for title, text in parts.items())
    return f"% A draft, written again by each run of the study: copy what you keep.\n{paragraphs}\n"


def listed(items: list[str]) -> str:
    """Items as an enumeration in a sentence."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _data(results: Results) -> str:
    sentences = []
    for card in results.cards:
        recipe = results.study["datasets"][card["dataset"]]
        test = recipe["split"]["test"]
        groups = f", compared by {listed([escape(a) for a in card['groups']])}" if card["groups"] else ""
        licence = f", licence {escape(card['licence'])}" if card["licence"] else ""
        size = f"{card['rows']:,} rows and {len(card['classes'])} classes"
        text = f"{escape(card['title'])} has {size}{groups}{licence}; test rows: {_test_rows(test)}"
        if test != "all":
            share = escape(as_stated(recipe["split"]["validation"], 100))
            text += rf"; {share}\,\% of the others are validation rows, drawn by each seed"
        dropped = recipe["drop"]
        text += f". Columns that may identify someone were dropped when reading ({len(dropped)})." if dropped else "."
        sentences.append(text)
    return " ".join(sentences)


def _test_rows(test: str | float | list[str]) -> str | None:
    """What the test rows are, from `split: test` of the dataset."""
    if isinstance(test, list):
        return f"those of {listed([escape(name) for name in test])}"
    if isinstance(test, str):
        return {"official": "the official test part", "all": "all rows are audited"}.get(test)
    return rf"a share of {escape(as_stated(test, 100))}\,\% drawn once"


def _variants(results: Results) -> str:
    study, shown = results.study, set(results.assessments["variant"])
    models = [f"{escape(name)} ({escape(m['architecture'])})" for name, m in study["models"].items()]
    text = f"Models: {listed(models)}. " if models else ""
    text += f"Variants: {'; '.join(_variant(n, v) for n, v in study['variants'].items() if n in shown)}. "
    used = {study["variants"][n][results.operation(n)] for n in results.trained_from_data if n in shown}
    used |= {v[of_recipe(v)]["training"] for n, v in study["variants"].items() if n in shown and _is_imported(v)}
    recipes = [_recipe(name, study["training"][name]) for name in study["training"] if name in used]
    by_epoch = any("epochs" in recipe for name, recipe in study["training"].items() if name in used)
    return text + " ".join([*recipes, *(["The epoch with the lowest validation loss is kept."] if by_epoch else [])])


def _is_imported(variant: dict[str, Any]) -> bool:
    return OPERATIONS[of_recipe(variant)].imports


def _recipe(name: str, recipe: TrainingRecipe) -> str:
    objective = recipe["objective"]["method"]
    if recipe["optimizer"] == "lbfgs":
        text = f"Recipe {escape(name)}: L-BFGS to convergence, L2 penalty {recipe['weight_decay']:g}"
        return text + (f", objective {escape(objective)}." if objective != "standard" else ".")
    text = (
        f"Recipe {escape(name)}: {count(recipe['epochs'], 'epoch')} with {escape(recipe['optimizer'])}, learning rate "
        f"{recipe['learning_rate']:g} ({escape(recipe['schedule'])}), batches of {recipe['batch_size']}"
    )
    return text + (f", objective {escape(objective)}." if objective != "standard" else ".")


def _variant(name: str, variant: dict[str, Any]) -> str:
    """How a variant is made, from its entry in the study file."""
    operation = of_recipe(variant)
    record, recipe = OPERATIONS[operation], variant[operation]
    if variant.get("control"):
        return f"{escape(name)}, {escape(variant['from'])} trained further and not compressed (the control)"
    if record.trains and not record.parents:
        again = " with another initialisation (the noise floor)" if variant.get("replicate") else ""
        return f"{escape(name)}, {record.participle}{again}"
    if operation == GIVEN:
        return f"{escape(name)}, given scores of column {escape(recipe['column'])}, positive above {recipe['above']:g}"
    if not record.parents:
        return f"{escape(name)}, {record.participle}"
    options = f" to a sparsity of {recipe['sparsity']:g}" if "sparsity" in recipe else ""
    method = f" ({escape(recipe['method'])})" if "method" in recipe else ""
    epochs = recipe.get("finetune", {}).get("epochs", 0)
    options += f" and finetuned for {count(epochs, 'epoch')}" if epochs else ""
    return f"{escape(name)}, {escape(variant['from'])} {record.participle}{method}{options}"


def _statistics(results: Results) -> str:
    """How variants are compared, tested, recommended and shipped; the tests only where something was tested."""
    study, seeds = results.study, int(results.assessments["seed"].nunique())
    sentences = [
        f"Every variant was assessed on the test rows from its exported file, with {count(seeds, 'seed')}"
        + (
            "; a seed varies the split into training and validation rows, augmentation and initialisation, and all "
            "seeds predict the same test rows."
            if seeds > 1
            else "."
        )
    ]
    if results.decisions["verdict"].notna().any():
        sentences += [*_comparison(study, seeds), *_criteria(results), *_tests(study, seeds)]
        sentences += [*_guards(results, seeds), *_goal(study), *_file(seeds)]
    if results.noise_floors and seeds > 1:
        sentences.append(
            "The noise floor is what one retraining of the baseline with another initialisation changes, with its "
            r"95\,\% prediction interval."
        )
    if results.controls:
        sentences.append(
            f"{listed([escape(name) for name in results.controls])} shows what additional training alone changes "
            "(control); it is no candidate to ship."
        )
    return " ".join(sentences)


def _comparison(study: dict[str, Any], seeds: int) -> list[str]:
    other = "none" if study["criteria"]["against"] == "none" else "the same augmentation"
    spread = (
        r"their 95\,\% intervals are over seeds and test rows, which are crossed (Student's distribution, degrees of "
        "freedom after Satterthwaite)."
        if seeds > 1
        else r"their 95\,\% intervals are over test rows (for shares, of Tango's score test), so that they are about "
        "these models and not about others that the same recipes would make."
    )
    paired = "paired by seed" if seeds > 1 else "paired by row"
    augmentation = f"augmentation {other}" if other == "none" else other
    return [f"Each variant is compared with its baseline, which has {augmentation}; changes are {paired}, and {spread}"]


def _criteria(results: Results) -> list[str]:
    """What a variant must keep to be proven."""
    criteria = results.study["criteria"]
    margins = criteria["margins"]
    groups = [margins[name] for name in GROUP_MARGINS if margins[name] is not None]
    parts = [
        f"the accuracy of all rows falls by at most {_points(margins['accuracy'])}" if margins["accuracy"] else "",
        f"the accuracy of every group falls by at most {_points(min(groups))}" if groups else "",
        (
            f"the signed difference of {_gap_rates(results)} between any two groups grows by at most "
            f"{_points(margins['fairness_gap'])}"
            if margins["fairness_gap"]
            else ""
        ),
        *(f"{escape(name.replace('_', ' '))} keeps its ceiling" for name in criteria["ceilings"]),
    ]
    limits = [part for part in parts if part]
    about = "all attributes" if criteria["attributes"] is None else listed([escape(a) for a in criteria["attributes"]])
    smallest = results.study["fairness"]["smallest_group"]
    sentences = [f"A variant is proven if it is shown that {'; that '.join(limits) or 'nothing is limited'}."]
    if groups or margins["fairness_gap"]:
        sentences.append(
            f"Groups are those by {about} with at least {smallest} rows for the rate; each group, and each ordered "
            "pair of groups, has a test of its own, and all of them must reject (intersection-union test, Berger "
            "1982), so that no correction for their number is due."
        )
        leaves = "; they leave a variant undecided." if criteria["untested"] == "undecided" else "."
        sentences.append(
            f"Rates of fewer than {smallest} rows are not tested, and are listed with Bayesian intervals (Jeffreys' "
            f"prior){leaves}"
        )
    if margins["fairness_gap"]:
        sentences.append(
            f"A group that was clearly behind another one in the baseline ({CLEARLY:g} standard errors) may catch up "
            "if their difference stays below the margin and no group with enough rows loses more than the margin."
        )
    sentences.append(
        "A criterion that cannot be tested leaves a variant undecided, and so does a rate that falls to 0 or rises to "
        f"1 in every model in a group with at least {FLOOR_ROWS} rows."
    )
    return sentences


def _gap_rates(results: Results) -> str:
    """Rates whose differences between groups are limited; they depend on the number of classes of a dataset."""
    gap = results.study["criteria"]["gap"]
    tested = set(results.decisions.loc[results.decisions["verdict"].notna(), "dataset"])
    kinds = {len(card["classes"]) == 2 for card in results.cards if card["dataset"] in tested}
    by_kind = {
        binary: listed([f"the {rate.replace('_', ' ')}" for rate in gap_rates(gap, binary)]) for binary in sorted(kinds)
    }
    if len(set(by_kind.values())) == 1:
        return escape(next(iter(by_kind.values())))
    return escape(f"{by_kind[True]} (binary labels) and of {by_kind[False]} (other labels)")


def _tests(study: dict[str, Any], seeds: int) -> list[str]:
    """How p-values and verdicts are computed."""
    rate = escape(as_stated(study["criteria"]["error_rate"]))
    if seeds > 1:
        p = "p of a test is the larger of an exact sign-flip test over seeds and a t-test over seeds and rows."
        any_part = (
            "sign flips of the largest violation for all tests together (Westfall and Young 1993), and by the t-tests "
            "after Bonferroni's correction"
        )
    else:
        p = (
            "p of a test is that of the score test of paired shares (Tango 1998), and for a difference between groups "
            "the error rate at which the interval of both score limits (MOVER, Zou and Donner 2008) excludes the "
            "margin; verdicts are about these models."
        )
        any_part = "a test in the other direction, after Bonferroni's correction"
    return [
        p,
        f"A variant is refuted if any limit is shown to be exceeded, by {any_part}.",
        "Verdicts are corrected after Holm over the variants of a dataset, model and augmentation, at an error rate of "
        f"{rate}. Changes of single groups are exploratory, with false discovery rates after Benjamini and Hochberg.",
    ]


def _guards(results: Results, seeds: int) -> list[str]:
    """What keeps models that learned nothing from being proven, and the models for which it holds."""
    criteria = results.study["criteria"]
    blocking = [guard for guard in guards.BLOCKING if guard in criteria.get("guards", guards.BLOCKING)]
    if not blocking:
        return []
    margin, several = criteria["margins"]["accuracy"], seeds > 1
    diverged = (
        f"the accuracy of a seed is below the median of the others by more than {escape(points(guards.FAR_BELOW))}, "
        f"{guards.DEVIATIONS:g} robust standard deviations of the others and {guards.ERRORS:g} standard errors of the "
        "rows, or its probabilities are not finite"
    )
    below = ", or a seed is at or below that share" if several else ""
    flips = ", and sign flips over seeds where they suffice" if several else ""
    smaller = rf"{escape(as_stated(1 - guards.SMALLER, 100))}\,\%"
    conditions = {
        guards.ONE_CLASS: f"{'a seed' if several else 'it'} predicts one class for all test rows",
        guards.MAJORITY: f"its {'mean ' * several}accuracy is not shown to exceed the share of the largest class "
        f"(exact binomial test){below}",
        guards.SIMPLE: "its accuracy is shown to be below that of a logistic regression of the same inputs"
        f"{f', by more than {_points(margin)}' if margin else ''} (exact McNemar test{flips}), and its mean recall of "
        "the classes is not above it",
        guards.DIVERGED: diverged if seeds >= guards.FEWEST_SEEDS else "its probabilities are not finite",
        guards.SAME: "its predictions and probabilities equal those of its baseline to the bit"
        f"{' in every seed' * several} and its file is not at least {smaller} smaller",
    }
    sentences = [
        "Guards come before these tests: a variant is never proven, nor is any variant of which it is the baseline, if "
        f"{'; if '.join(conditions[guard] for guard in blocking)}. They only take verdicts away."
    ]
    held = results.guards[results.guards["blocks"].astype(bool)] if len(results.guards) else results.guards
    if len(held):
        names = dict.fromkeys(f"{row['variant']} ({row['dataset']}, {row['model']})" for row in held.to_dict("records"))
        sentences.append(f"In this study they hold for {listed([escape(name) for name in names])}.")
    return sentences


def _goal(study: dict[str, Any]) -> list[str]:
    """What the recommendation minimises."""
    decision = study["decision"]
    goal = escape(f"{goals.title(decision['goal'])}{goals.assumed_use(decision['goal'], decision)}")
    life_cycle = (
        " Life-cycle energy is that of making one model without the search for it, of storing its file (years: "
        f"{escape(as_stated(study['life_cycle']['years']))}), of its downloads and of its predictions."
        if decision["goal"] == "life_cycle_energy"
        else ""
    )
    return [
        f"The goal of the recommendation is the least {goal}. Candidates are the proven variants and the baseline; a "
        r"variant wins only if the 95\,\% interval of its saving excludes 0 (of bytes, the range over seeds), and "
        "among variants that cannot be distinguished from the one that saves most, the smallest file wins."
        f"{life_cycle}"
    ]


def _file(seeds: int) -> list[str]:
    """Which file ships, where a variant has several."""
    if seeds == 1:
        return []
    return [
        "The file that ships of a variant is that of the seed with the highest accuracy on validation rows. A file of "
        "a proven variant is also tested alone against its baseline's file of the same seed, by the score test of its "
        "test rows (Tango 1998) and without a correction for other files."
    ]


def _points(margin: float) -> str:
    return escape(points(margin))


def _energy(results: Results) -> str:
    used, energy, intensity = of_study(results.rules), results.study["energy"], results.provenance["intensity"]
    watts, memory = watts_per_core(energy), energy["watts_per_gb"]
    held = float(results.rules["memory_gb_s"].sum())
    source = f"{escape(intensity['name'])}, {intensity['year'] or 'year not stated'}, {escape(intensity['source'])}"
    return (
        rf"The {count(used.attempts, 'attempt')} at steps of the study, failed ones included, and Snakemake and Dask "
        rf"themselves used {number_text(used.cpu_s, 0)} CPU-seconds; the steps held {number_text(held, 0)} GB-seconds "
        r"of memory, each its peak for as long as it took (measured). The report and this article, which are made from "
        r"these figures, are not included. Energy is modelled, not metered: CPU-seconds times "
        rf"{watts['central']:.3g}\,W for a busy core ({watts['low']:.3g} to {watts['high']:.3g}), plus GB-seconds "
        rf"times {memory['central']:.3g}\,W for a GB ({memory['low']:.3g} to {memory['high']:.3g}), together times a "
        rf"PUE of {energy['pue']:g}: {amount(used.energy_j, 1e-3)}\,kJ ({amount(used.energy_j_low, 1e-3)} to "
        rf"{amount(used.energy_j_high, 1e-3)}); with {intensity['g_per_kwh']:.4g}\,gCO\textsubscript{{2}}e/kWh "
        rf"({source}) that is {escape(significant(used.emissions_g))}\,gCO\textsubscript{{2}}e. Embodied carbon is not "
        "included."
    )


def _reproducibility(results: Results) -> str:
    about = results.provenance
    packages = listed([f"{escape(n)} {escape(v)}" for n, v in about["packages"].items()])
    commit = escape(about["commit"] or "unknown")
    return (
        f"The study is one file, run by fairweight {escape(about['fairweight'])} (commit {commit}), Python "
        f"{escape(about['python'])}, {packages}, on {escape(about['host']['processor'])}. Raw files are verified by "
        "SHA-256. The archive holds the study file, the code, the lock file, results and checksums; with the same "
        "threads, instruction set and versions a run gives the same bytes."
    )

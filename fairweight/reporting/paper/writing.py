"""Write everything that an article takes from a study into one folder."""

from pathlib import Path

from fairweight.core.artifacts import write_csv, write_text
from fairweight.reporting.paper import carbon
from fairweight.reporting.paper.decisions import decision_tables
from fairweight.reporting.paper.figures import figures, save
from fairweight.reporting.paper.findings import findings
from fairweight.reporting.paper.latex import escape
from fairweight.reporting.paper.methods import methods
from fairweight.reporting.paper.numbers import frame, macros, numbers
from fairweight.reporting.paper.tables import Exhibit, tables
from fairweight.reporting.quality import refuse_numbers
from fairweight.reporting.report.results import Results


def write_paper(results: str, folder: str) -> None:
    r"""Write figures (PDF, SVG), tables (LaTeX, CSV), numbers, methods and findings of a study.

    Args:
        results: the study's folder.
        folder: folder to fill: `figures/`, `tables/`, `numbers.tex` and `.csv`, `methods.tex`, `findings.tex`, and
            `exhibits.tex`, which shows all figures and tables with their captions.
    """
    study, place = Results.read(results), Path(folder)
    refuse_numbers(study, "paper")
    entries = numbers(study)
    write_text(place / "numbers.tex", macros(entries))
    write_csv(place / "numbers.csv", frame(entries))
    write_text(place / "methods.tex", methods(study))
    write_text(place / "findings.tex", findings(study))
    exhibits = [*_write_tables(study, place / "tables"), *_write_figures(study, place / "figures")]
    write_text(place / "exhibits.tex", "\n".join(exhibits))


def _write_tables(study: Results, folder: Path) -> list[str]:
    """Write the tables, and return them as LaTeX with their captions."""
    decided = [exhibit for dataset in study.datasets for exhibit in decision_tables(study, dataset)]
    energies = [carbon.variants(study, dataset) for dataset in study.datasets if study.ships(dataset)]
    shown = []
    for exhibit in [*decided, *tables(study), *energies, carbon.estimators(study)]:
        write_text(folder / f"{exhibit.name}.tex", exhibit.text)
        write_csv(folder / f"{exhibit.name}.csv", exhibit.frame)
        shown.append(_table(exhibit))
    return shown


def _write_figures(study: Results, folder: Path) -> list[str]:
    """Write the figures, and return those of each dataset as LaTeX with their captions."""
    shown = []
    for dataset in study.datasets:
        captions = {}
        for name, figure, caption in figures(study, dataset):
            save(figure, folder / f"{dataset}-{name}")
            captions[f"{dataset}-{name}"] = caption
        shown += [_figures(captions)] if captions else []
    name, figure, caption = carbon.energy_by_rule(study)
    save(figure, folder / name)
    return [*shown, _figures({name: caption})]


def _table(exhibit: Exhibit) -> str:
    caption = f"{{{escape(exhibit.caption)}}}\\label{{tab:{exhibit.name}}}"
    shown = f"\\input{{tables/{exhibit.name}}}"
    if "longtable" in exhibit.text:  # it breaks over pages, so that it cannot float
        return f"{{\\small\n\\captionof{{table}}{caption}\n{shown}}}\n"
    return f"\\begin{{table}}[htbp]\\centering\\small\n\\caption{caption}\n{shown}\n\\end{{table}}\n"


def _figures(captions: dict[str, str]) -> str:
    """The figures of a dataset (name -> caption), each one column wide, beside each other."""
    parts = [
        "\\begin{minipage}[t]{.48\\linewidth}\\vspace{0pt}"
        f"\\includegraphics[width=\\linewidth]{{\\detokenize{{figures/{name}.pdf}}}}\n"
        f"\\caption{{{escape(caption)}}}\\label{{fig:{name}}}\n\\end{{minipage}}"
        for name, caption in captions.items()
    ]
    return "\\begin{figure}[htbp]\n" + "\\hfill\n".join(parts) + "\n\\end{figure}\n"

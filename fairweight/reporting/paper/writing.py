"""Everything that an article takes from a study, written into one folder."""

from pathlib import Path

from fairweight.core.artifacts import write_csv, write_text
from fairweight.reporting.paper import carbon
from fairweight.reporting.paper.figures import figures, save
from fairweight.reporting.paper.latex import escape
from fairweight.reporting.paper.methods import findings, methods
from fairweight.reporting.paper.numbers import frame, macros, numbers
from fairweight.reporting.paper.tables import Exhibit, tables
from fairweight.reporting.report.results import Results


def write_paper(results: str, folder: str) -> None:
    r"""Write figures (PDF, SVG), tables (LaTeX, CSV), numbers, methods and findings of a study.

    Args:
        results: the study's folder.
        folder: folder to fill: `figures/`, `tables/`, `numbers.tex` and `.csv`, `methods.tex`, `findings.tex`, and
            `exhibits.tex`, which shows all figures and tables with their captions.
    """
    study, place = Results.read(results), Path(folder)
    found = numbers(study)
    write_text(place / "numbers.tex", macros(found))
    write_csv(place / "numbers.csv", frame(found))
    write_text(place / "methods.tex", methods(study))
    write_text(place / "findings.tex", findings(study))
    shown = []
    energies = [carbon.variants(study, dataset) for dataset in study.datasets if study.ships(dataset)]
    for exhibit in [*tables(study), *energies, carbon.estimators(study)]:
        write_text(place / "tables" / f"{exhibit.name}.tex", exhibit.text)
        write_csv(place / "tables" / f"{exhibit.name}.csv", exhibit.frame)
        shown.append(_table(exhibit))
    for dataset in study.datasets:
        drawn = []
        for name, figure, caption in figures(study, dataset):
            save(figure, place / "figures" / f"{dataset}-{name}")
            drawn.append((f"{dataset}-{name}", caption))
        shown += [_figures(drawn)] if drawn else []
    name, figure, caption = carbon.energy_by_rule(study)
    save(figure, place / "figures" / name)
    write_text(place / "exhibits.tex", "\n".join([*shown, _figures([(name, caption)])]))


def _table(exhibit: Exhibit) -> str:
    caption = f"{{{escape(exhibit.caption)}}}\\label{{tab:{exhibit.name}}}"
    shown = f"\\input{{tables/{exhibit.name}}}"
    if "longtable" in exhibit.text:  # it breaks over pages, so that it cannot float
        return f"{{\\small\n\\captionof{{table}}{caption}\n{shown}}}\n"
    return f"\\begin{{table}}[htbp]\\centering\\small\n\\caption{caption}\n{shown}\n\\end{{table}}\n"


def _figures(drawn: list[tuple[str, str]]) -> str:
    """The figures of a dataset, each one column wide, beside each other."""
    parts = [
        f"\\begin{{minipage}}[t]{{.48\\linewidth}}\\vspace{{0pt}}\\includegraphics[width=\\linewidth]{{\\detokenize{{figures/{name}.pdf}}}}\n"
        f"\\caption{{{escape(caption)}}}\\label{{fig:{name}}}\n\\end{{minipage}}"
        for name, caption in drawn
    ]
    return "\\begin{figure}[htbp]\n" + "\\hfill\n".join(parts) + "\n\\end{figure}\n"

"""An article compiled with latexmk, outside of the repository and without a shell."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from fairweight.core.artifacts import atomic
from fairweight.core.errors import InputError

SECONDS = 300  # a first run of LuaLaTeX lists the fonts of the machine
RUN = [
    "latexmk",
    "-lualatex",
    "-interaction=nonstopmode",
    "-halt-on-error",
    "-file-line-error",
    "-no-shell-escape",
    "-norc",
]


def compile_article(article: str, *, made: str, pdf: str) -> None:
    """Compile an article that inputs what `write_paper` made.

    Args:
        article: the LaTeX file.
        made: folder that `write_paper` filled.
        pdf: file to write.

    Raises:
        InputError: LaTeX found a mistake; with its first message.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "paper"
        shutil.copytree(made, place, ignore=shutil.ignore_patterns("*.usage.json", "article.pdf"))
        shutil.copy(article, place / "article.tex")
        command = [*RUN, "article.tex"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS)  # fmt: skip
        log = (place / "article.log").read_text(errors="replace") if (place / "article.log").exists() else done.stdout
        if done.returncode:
            told = re.findall(r"^[^\s:]*\.(?:tex|lua):\d+: .*$|^! .*$", log, flags=re.M)
            reason = told[0] if told else (done.stderr or done.stdout).strip().splitlines()[-1]
            raise InputError(f"{article} does not compile: {reason}")
        lost = sorted(set(re.findall(r"Missing character: There is no (\S+)", log)))
        if lost:
            print(
                f"The article lacks {' '.join(lost)}: install a font that has them (fonts-droid-fallback, fonts-symbola)."
            )
        with atomic(pdf) as temporary:
            shutil.copy(place / "article.pdf", temporary)

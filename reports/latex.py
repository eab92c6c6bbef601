r"""Leaderboards as LaTeX tables for \input; they need the packages booktabs and graphicx and nothing else."""

from collections.abc import Mapping, Sequence

from reports.marks import Marks
from reports.rows import Row, of_board
from reports.tables import SUBJECTS, cells, number

ACROSS = 6  # tasks side by side; more are in tables below one another
DOWN = 45  # rows on a page
GENERAL = ("tier", "score", "95 % interval", "p", "step / SGD")
SPECIAL = {  # brackets and stars would be read as options of the end of a row
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "*": "{*}", '"': r"\textquotedbl{}", "–": "--", "×": r"$\times$", "\n": " ",
}  # fmt: skip


def to_latex(rows: Sequence[Row], marked: Mapping[str, Marks], read: str = "") -> str:
    """Both boards, by `SUBJECTS`: scores and losses, an optimizer a row; with where in the budget they were `read`."""
    parts = ["% \\usepackage{booktabs,graphicx}\n"]
    for name in SUBJECTS:
        own = of_board(rows, name)
        if own:
            parts += _tables(own, marked[name], read)
    return "\n".join(parts)


def _tables(rows: Sequence[Row], marked: Marks, read: str) -> list[str]:
    """A board's tables: one, with tasks beneath one another where they are many, or on several pages."""
    tasks = list(rows[0].losses)
    blocks = [tasks[start : start + ACROSS] for start in range(0, len(tasks), ACROSS)]
    tabulars = [_tabular(rows, block, marked, general=not index) for index, block in enumerate(blocks)]
    pages = [tabulars] if len(rows) * len(blocks) <= DOWN else [[tabular] for tabular in tabulars]
    name, subject = rows[0].board, escaped(SUBJECTS[rows[0].board])
    told = f"{name.capitalize()}: {subject}. {escaped(_legend(rows))} {escaped(marked.said('Underlined'))}"
    told += f" {escaped(read)}" * bool(read)
    tables = []
    for index, page in enumerate(pages):
        caption = f"{name.capitalize()}, continued." if index else told
        label = f"tab:{name}" + (f"-{index + 1}" if index else "")
        body = "\n\\medskip\n\n".join(page)
        tables.append(
            f"\\begin{{table*}}\n\\centering\n\\caption{{{caption}}}\n\\label{{{label}}}\n{body}\\end{{table*}}\n"
        )
    return tables


def _legend(rows: Sequence[Row]) -> str:
    replicates = max(row.replicates for row in rows)
    over = f"{replicates} replicate{'s' * (replicates != 1)}"
    return (
        f"Losses: geometric means over {over}; bold: the lowest on the task. Score: mean over tasks of log loss in "
        "units of the task's scale, from its centre, lower is better, with its 95 % bootstrap interval over tasks and "
        "replicates together; p against the leader on these tasks, corrected for all pairs; a dagger: tier 1, the "
        "leader and those not told apart from it. Step: time of a step as a multiple of SGD's."
    )


def _tabular(rows: Sequence[Row], tasks: Sequence[str], marked: Marks, general: bool) -> str:
    """One block of columns, no wider than the text."""
    heads = ["optimizer", *(GENERAL if general else ()), *tasks]
    lines = [" & ".join(map(escaped, heads)) + r" \\", r"\midrule"]
    for index, row in enumerate(rows):
        if index and row.tier != rows[index - 1].tier:
            lines.append(r"\addlinespace")
        shown = cells(row)
        record = [escaped(row.optimizer)]
        if general:
            record += [_signed(shown[head]) for head in GENERAL]
            if row.tier == 1:
                record[2] += r"$^\dagger$"
        record += [_loss(row, task, marked) for task in tasks]
        lines.append(" & ".join(record) + r" \\")
    columns = "l" + "r" * (len(heads) - 1)
    body = "\n".join([r"\toprule", *lines, r"\bottomrule"])
    width = r"\ifdim\width>\textwidth\textwidth\else\width\fi"
    return f"\\resizebox{{{width}}}{{!}}{{%\n\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}}}\n"


def _loss(row: Row, task: str, marked: Marks) -> str:
    shown = _signed(number(row.losses[task].mean))
    if row.optimizer in marked.best[task]:
        return rf"\textbf{{{shown}}}"
    return rf"\underline{{{shown}}}" if row.optimizer in marked.near[task] else shown


def _signed(text: str) -> str:
    """Numbers as LaTeX sets them: a minus is no hyphen, and powers of ten are powers."""
    words = []
    for word in text.split(" "):
        digits, power, exponent = word.partition("e")
        if power and exponent.lstrip("-").isdigit():
            words.append(rf"\ensuremath{{{digits}\times 10^{{{exponent}}}}}")
        elif word[:1] in ("-", "+") and word[1:2].isdigit():
            words.append(rf"\ensuremath{{{word}}}")
        else:
            words.append(escaped(word))
    return " ".join(words)


def escaped(text: str) -> str:
    """Text as it is, in LaTeX."""
    return "".join(SPECIAL.get(character, character) for character in text)

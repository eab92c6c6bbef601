"""`optgrid export`: a run as three tidy tables, for pandas, R or a spreadsheet."""

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid export`."""
    parser.add_argument("runs", type=Path, help="folder of a run")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FOLDER_or_FILE", help="FILE.parquet, FILE.csv or a folder"
    )


def main(args: argparse.Namespace) -> int:
    """Writes curves to the file, and trials and units beside it."""
    from bench import frames, results

    for path in frames.export(results.load(args.runs), args.out):
        print(path)
    return 0

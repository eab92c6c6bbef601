"""The command line: `optgrid VERB`, also `python -m bench VERB`.

Exit status: 0 done; 1 some units failed, and the report says which; 2 a user's mistake, one line on stderr.
"""

import argparse
import importlib
import os
import sys
from typing import NoReturn

VERBS = {
    "run": "run a grid, or what is missing of it, and report",
    "plan": "say what a run will take in time, memory and money, before anything is run",
    "report": "make a run's report anew, from its files alone",
    "export": "write a run as tidy tables",
    "doctor": "check a folder of a run, and say what would be computed again",
    "study": "turn one thing of a task, as width, loss or data, and show what it does",
    "compare": "compare an optimizer with tuned baselines: better, worse or not told apart",
    "baselines": "make the reference results that are shipped, those that are missing or changed",
    "new": "start an optimizer of your own from a template",
    "check": "check that an optimizer can be benchmarked",
    "list": "list tasks, optimizers or suites",
    "calibrate": "make the constants that boards are held to, and measure what verdicts are worth",
    "rules": "test rules of thumb by experiments, with a verdict on each",
    "microbench": "measure the suite's own speed beside Keras, PyTorch, plain JAX and optax",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other mistake is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"optgrid: {message}; see {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Runs one verb and returns the exit status."""
    from bench.errors import UserError
    from optimizers import OptimizerError

    arguments = sys.argv[1:] if argv is None else argv
    parser = _Parser(prog="optgrid", description="Optimizer benchmarks that hold up.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, words in VERBS.items():
        subparser = verbs.add_parser(verb, help=words, description=words)
        if verb in arguments[:1]:
            importlib.import_module(f"bench.commands.{verb}").add(subparser)
    args = parser.parse_args(arguments)
    try:
        return int(importlib.import_module(f"bench.commands.{args.verb}").main(args))
    except (UserError, OptimizerError) as error:
        print(f"optgrid: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("optgrid: interrupted", file=sys.stderr)
        return 130
    except PermissionError as error:
        print(f"optgrid: {error.filename or 'a file'} is not open to this user ({error.strerror})", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as in `optgrid list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())

"""The verbs of the command line, one file each; the top of the import graph.

Each module has `add(parser)` for its arguments and `main(args) -> exit status`. They import what is heavy when they
need it, so that `--help` costs nothing.
"""

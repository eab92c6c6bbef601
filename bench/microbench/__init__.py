"""How fast the suite is, each side in turns with those it is compared with: pytest-benchmark suites and their goals.

The files `bench_*.py` are the suites, run by `optgrid microbench` in a process of their own; `turns.py` measures two
sides in turns and says what is asked of them, `sides.py` trains whole cells beside Keras, PyTorch and plain JAX, whose
programs are in `peers/`, and `results.py` reads what pytest-benchmark wrote.
"""

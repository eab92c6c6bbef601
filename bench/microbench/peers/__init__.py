"""How others train the reference model: each file one training program, written as its library's tutorial has it.

The files run on an interpreter of their own that has that library and need not have this project or JAX, so they
import nothing of it; `serve.py` runs one of them and times it. `bench.microbench.sides` is what starts them.
"""

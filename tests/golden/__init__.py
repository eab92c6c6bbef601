"""Trajectories of independent packages through the loop of `tests.gradients`, stored as small files; see make.py."""

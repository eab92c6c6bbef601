"""Rules of thumb, each tested by an experiment: `optgrid rules`.

nouns.py         what a rule, an experiment, an arm and a claim are
optimization.py  models.py    the rules, an entry each; catalogue.py has them by name
own.py           tasks, steps and metrics that only these experiments need
measures.py      an arm's record to one number
verdicts.py      numbers to a verdict: intervals, tests, power
judging.py       results to findings, one a claim
running.py       experiments to folders of runs

Nothing is imported here: a task's results are of the code that its file leads to, and it must not lead to all rules.
"""

"""Rules about networks, losses and data: an entry each."""

from dataclasses import fields, replace
from typing import Any

from bench.perturb import Subsample
from bench.preprocess import ClassWeights, Divide, OneHot, Pool, Resample, Standardize
from bench.rules import own
from bench.rules.measures import Gap, LogLoss, LogSteps, Metric
from bench.rules.nouns import CLOSELY, Arm, Claim, Experiment, Rule, perceptron

ADAM = "adam(b1=0.9)"
MOMENTUM = "momentum(momentum=0.9)"
RARE = Metric("rare_recall", "recall of the rare classes")
F1 = Metric("macro_f1", "macro F1")
ACCURACY = Metric("accuracy", "accuracy")

DEEP = perceptron("digits_deep")
SHALLOW = replace(DEEP, widths=(64, 32, 10))

RELU = Rule(
    name="relu",
    statement="In deep networks rectified units learn better than sigmoid ones.",
    source="Glorot, Bordes & Bengio, 2011, Deep Sparse Rectifier Neural Networks, AISTATS",
    experiments=(
        Experiment(
            name="hidden",
            words=(
                "Networks with three hidden layers of 32 units, or with one, on 8×8 digits, trained with momentum 0.9. "
                "A first run of 28 replicates had readings too coarse for its steps; a second of 48 varied more, "
                "and is the pilot of this one, which has other seeds."
            ),
            arms={
                "ReLU": Arm(replace(DEEP, activation="relu"), MOMENTUM),
                "sigmoid": Arm(DEEP, MOMENTUM),
                "ReLU, shallow": Arm(replace(SHALLOW, activation="relu"), MOMENTUM),
                "sigmoid, shallow": Arm(SHALLOW, MOMENTUM),
            },
            varies=("activation", "widths"),
            claims=(
                Claim(
                    "depth_faster", "With three hidden layers ReLU reaches a training loss in fewer steps than "
                    "sigmoid.",
                    "ReLU", "sigmoid", LogSteps(0.5), 0.25, 0.218,
                ),
                Claim(
                    "depth_more", "ReLU's advantage in steps is larger with three hidden layers than with one.",
                    "ReLU", "sigmoid", LogSteps(0.5), 0.25, 0.362, ("ReLU, shallow", "sigmoid, shallow"),
                ),
                Claim(
                    "depth_test", "With three hidden layers ReLU ends at a lower test loss than sigmoid.",
                    "ReLU", "sigmoid", LogLoss(), 0.25, 0.48,
                ),
            ),
            replicates=72,
            protocol=CLOSELY,
        ),
    ),
)  # fmt: skip


def _digits(share: float) -> tuple[Any, ...]:
    return Divide(255), Pool(28, 2), Subsample(share), OneHot()


OVERFITS = replace(perceptron("mnist_5k"), preprocessing=_digits(0.2), widths=(196, 64, 10), batch_size=64, steps=600)


def _against(arm: str, name: str, words: str, gap: float, loss: float) -> tuple[Claim, Claim]:
    return (
        Claim(
            f"{name}_gap", f"{words} narrows the gap between test and training loss.", arm, "as it is", Gap(), 0.25, gap
        ),
        Claim(f"{name}_loss", f"{words} lowers the test loss.", arm, "as it is", LogLoss(), 0.1, loss),
    )


OVERFITTING = Rule(
    name="overfitting",
    statement="Smaller networks, more data and regularization (L2, dropout) help against overfitting.",
    source=(
        "Goodfellow, Bengio & Courville, 2016, Deep Learning, section 5.2 and chapter 7; dropout: Srivastava et al., "
        "2014, JMLR 15:1929-1958"
    ),
    experiments=(
        Experiment(
            name="remedies",
            words=(
                "A network with 64 hidden units on 700 digits of MNIST at 14×14, 60 passes over them, as it is and "
                "with one remedy: 16 hidden units, all 3,500 digits (as many steps), an L2 penalty of 0.003, or a "
                "quarter of the hidden units dropped. Validation loss chose these strengths in the pilot, of 0.0003 "
                "to 0.01 and of 0.1 to 0.5, and it chooses learning rates, which alone keeps many from overfitting. A "
                "first run at 0.01 and one half was looked at before: docs/rules.md."
            ),
            arms={
                "as it is": Arm(OVERFITS, ADAM),
                "smaller network": Arm(replace(OVERFITS, widths=(196, 16, 10)), ADAM),
                "more data": Arm(replace(OVERFITS, preprocessing=_digits(1.0)), ADAM),
                "L2": Arm(replace(OVERFITS, l2=3e-3), ADAM),
                "dropout": Arm(replace(OVERFITS, dropout=0.25), ADAM),
            },
            varies=("widths", "preprocessing", "l2", "dropout"),
            claims=(
                *_against("smaller network", "smaller", "A smaller network", 0.28, 0.0497),
                *_against("more data", "data", "Five times as much data", 0.235, 0.0483),
                *_against("L2", "l2", "An L2 penalty", 0.0441, 0.0574),
                *_against("dropout", "dropout", "Dropout", 0.0742, 0.0217),
            ),
            replicates=24,
        ),
    ),
)


def _told(name: str) -> own.Classified:
    """A task of the catalogue that tells more of unequal classes."""
    task = perceptron(name)
    return own.Classified(**{f.name: getattr(task, f.name) for f in fields(task)})


CUT = _told("diamonds_cut_unweighted")


def _balance(arm: str, name: str, words: str, recall: float, f1: float) -> tuple[Claim, Claim]:
    return (
        Claim(f"{name}_recall", f"{words} the recall of the rare classes.", arm, "plain", RARE, 0.03, recall),
        Claim(f"{name}_f1", f"{words} macro F1.", arm, "plain", F1, 0.02, f1),
    )


IMBALANCE = Rule(
    name="imbalance",
    statement="Class weights, resampling and other losses help where classes are unequal.",
    source=(
        "He & Garcia, 2009, Learning from Imbalanced Data, doi:10.1109/TKDE.2008.239; focal: Lin et al., 2017, "
        "arXiv:1708.02002"
    ),
    experiments=(
        Experiment(
            name="diamonds",
            words=(
                "The cut of 53,917 diamonds in five classes, of which two are rare, 3 and 9 % of the rows: "
                "cross-entropy as it is, weighted by class, on rows repeated until classes are equal, or the focal "
                "loss with gamma 2. A first run of 36 replicates varied more than the pilot and is the pilot of this "
                "one, which has other seeds."
            ),
            arms={
                "plain": Arm(CUT, ADAM),
                "weights": Arm(replace(CUT, preprocessing=(Standardize(), ClassWeights(), OneHot())), ADAM),
                "resampling": Arm(replace(CUT, preprocessing=(Standardize(), Resample(), OneHot())), ADAM),
                "focal loss": Arm(replace(CUT, loss="focal"), ADAM),
            },
            varies=("preprocessing", "loss"),
            claims=(
                *_balance("weights", "weights", "Class weights raise", 0.041, 0.022),
                *_balance("resampling", "resampling", "Resampling raises", 0.0495, 0.0208),
                *_balance("focal loss", "focal", "The focal loss raises", 0.0258, 0.0133),
            ),
            replicates=60,
        ),
    ),
)

DELETED = perceptron("txhousing_deleted")

MISSING = Rule(
    name="missing",
    statement="Filling missing values is better than deleting rows, and interpolating is better than filling.",
    source="Little & Rubin, 2002, Statistical Analysis with Missing Data, sections 3.2 and 4.2",
    experiments=(
        Experiment(
            name="housing",
            words=(
                "Months of home sales in Texas, a time series for each city, of whose rows 11 % lack a value: these "
                "left out of training, filled with the column's median, or put on the line between a city's "
                "neighbouring months. Test rows are the same for all."
            ),
            arms={
                "deleted": Arm(DELETED, ADAM),
                "filled": Arm(replace(DELETED, preprocessing=DELETED.preprocessing[1:]), ADAM),
                "interpolated": Arm(perceptron("txhousing_interpolated"), ADAM),
            },
            varies=("preprocessing",),
            claims=(
                Claim(
                    "fill", "Filling ends at a lower test loss than deleting.",
                    "filled", "deleted", LogLoss(), 0.1, 0.0505,
                ),
                Claim(
                    "interpolate", "Interpolating ends at a lower test loss than filling.",
                    "interpolated", "filled", LogLoss(), 0.1, 0.0675,
                ),
            ),
            replicates=24,
        ),
    ),
)  # fmt: skip


def _one_against_rest(task: str, words: str, short: str, replicates: int, accuracy: float) -> Experiment:
    softmax = _told(task)
    return Experiment(
        name=task,
        words=(
            f"{words}: cross-entropy of the softmax, or of a sigmoid for each class by itself; the largest output "
            f"decides."
        ),
        arms={
            "softmax": Arm(softmax, ADAM),
            "one against the rest": Arm(replace(softmax, loss="sigmoid_cross_entropy"), ADAM),
        },
        varies=("loss",),
        claims=(
            Claim(
                task, f"On {short} softmax has a higher accuracy than one class against the rest.",
                "softmax", "one against the rest", ACCURACY, 0.01, accuracy,
            ),
        ),
        replicates=replicates,
    )  # fmt: skip


SOFTMAX = Rule(
    name="softmax",
    statement="For classes that exclude each other softmax is better than one class against the rest.",
    source=(
        "Bishop, 2006, Pattern Recognition and Machine Learning, sections 4.1.2 and 4.3.4; against it: Rifkin & "
        "Klautau, 2004, JMLR 5:101-141"
    ),
    experiments=(
        _one_against_rest("mnist_5k", "5,000 digits of MNIST", "digits", 24, 0.00624),
        _one_against_rest("segment", "2,310 image patches in seven classes", "image patches", 24, 0.00798),
    ),
)

RULES = (RELU, OVERFITTING, IMBALANCE, MISSING, SOFTMAX)

"""Rules about optimizers: an entry each."""

from dataclasses import replace

from bench.rules import own
from bench.rules.measures import LogLoss, LogSteps
from bench.rules.nouns import CLOSELY, Arm, Claim, Experiment, Rule, perceptron
from bench.task import Task

# Half the mean squared error of ordinary least squares on the training rows of diabetes, standardised: no linear model
# has less.
LEAST_SQUARES = 0.22297696
UNTUNED = {"trials": 1, "seeds": 2, "evaluations": 400}
DENSE = {"trials": 24, "seeds": 3, "evaluations": 200}  # searches: cheap runs, whose speed hangs on the rate

LINEAR = replace(perceptron("diabetes"), widths=(10, 1))  # 310 rows, 10 features
PASS = 19  # batches of 16
LARGE = replace(perceptron("diamonds_price"), batch_size=256, steps=5 * 147)  # 37,741 rows
_SGD, _MOMENTUM = "sgd", "momentum(momentum=0.9)"


def _passes(passes: int) -> dict[str, Arm]:
    return {
        "full batch": Arm(replace(LINEAR, batch_size=None, steps=passes), _SGD),
        "batches of 16": Arm(replace(LINEAR, batch_size=16, steps=passes * PASS), _SGD),
    }


def _rates(task: Task, large: float, small: float) -> dict[str, Arm]:
    rates = {"large rate": large, "small rate": small}
    return {name: Arm(task, f"sgd(learning_rate={rate})") for name, rate in rates.items()}


LEARNING_RATE = Rule(
    name="learning_rate",
    statement="A smaller learning rate is more accurate, but slower.",
    source=(
        "Bottou, Curtis & Nocedal, 2018, Optimization Methods for Large-Scale Machine Learning, arXiv:1606.04838, "
        "theorem 4.6: at a fixed rate SGD ends at a distance from the optimum that falls with the rate, as does its "
        "speed"
    ),
    experiments=(
        Experiment(
            name="linear",
            words=(
                "Linear regression on 310 rows (diabetes) by SGD in batches of 16 for 2,000 steps, at the rates 0.04 "
                "and 0.01. Rates are the rule's subject, so none is tuned."
            ),
            arms=_rates(replace(LINEAR, batch_size=16, steps=2000), 0.04, 0.01),
            varies=("optimizer",),
            claims=(
                Claim(
                    "linear_slower", "On a linear regression the smaller rate takes more steps to a training loss.",
                    "large rate", "small rate", LogSteps(0.35), 0.25, 0.104,
                ),
                Claim(
                    "linear_accurate", "On a linear regression the smaller rate ends at a lower training loss.",
                    "small rate", "large rate", LogLoss("train"), 0.1, 0.00186,
                ),
            ),
            replicates=16,
            protocol=UNTUNED,
        ),
        Experiment(
            name="single",
            words="The same by single rows for 4,000 steps, so that gradients are as noisy as they can be.",
            arms=_rates(replace(LINEAR, batch_size=1, steps=4000), 0.04, 0.01),
            varies=("optimizer",),
            claims=(
                Claim(
                    "single_accurate", "By single rows the smaller rate ends at a lower training loss.",
                    "small rate", "large rate", LogLoss("train"), 0.1, 0.115,
                ),
            ),
            replicates=32,
            protocol=UNTUNED,
        ),
        Experiment(
            name="network",
            words=(
                "A network with one hidden layer on 8×8 digits: SGD in batches of 128 for 4,000 steps, ten times the "
                "task's own budget, at the rates 0.4 and 0.1."
            ),
            arms=_rates(replace(perceptron("digits_plain"), steps=4000), 0.4, 0.1),
            varies=("optimizer",),
            claims=(
                Claim(
                    "network_slower", "In a network the smaller rate takes more steps to a training loss.",
                    "large rate", "small rate", LogSteps(0.1), 0.25, 0.0128,
                ),
                Claim(
                    "network_accurate", "In a network the smaller rate ends at a lower test loss.",
                    "small rate", "large rate", LogLoss(), 0.1, 0.0143,
                ),
            ),
            replicates=16,
            protocol=UNTUNED,
        ),
    ),
)  # fmt: skip

FULL_BATCH = Rule(
    name="full_batch",
    statement="Full-batch gradient descent suits linear regression, SGD suits large data.",
    source="Bottou & Bousquet, 2007, The Tradeoffs of Large Scale Learning, NIPS 20",
    experiments=(
        Experiment(
            name="linear",
            words=(
                "Linear regression on 310 rows (diabetes): gradient descent on all rows beside SGD in batches of 16, "
                "each for 200 passes over the data; a pass is one step of the one and 19 of the other. Passes are "
                "counted, not seconds."
            ),
            arms=_passes(200),
            varies=("batch_size", "steps"),
            claims=(
                Claim(
                    "linear_passes",
                    "On a small linear regression full batches come within 1 % of the least-squares loss in fewer "
                    "passes than small ones.",
                    "full batch", "batches of 16", LogSteps(1.01 * LEAST_SQUARES, passes=200), 0.5, 0.652,
                ),
                Claim(
                    "linear_loss",
                    "On a small linear regression full batches end at a lower training loss than small ones.",
                    "full batch", "batches of 16", LogLoss("train"), 0.1, 0.00441,
                ),
            ),
            replicates=24,
            protocol=DENSE,
        ),
        Experiment(
            name="large",
            words=(
                "A network on 37,741 rows (the price of diamonds): SGD in batches of 256 beside gradient descent on "
                "all rows, each for five passes: 735 steps and 5."
            ),
            arms={
                "batches of 256": Arm(LARGE, _SGD),
                "full batch": Arm(replace(LARGE, batch_size=None, steps=5), _SGD),
            },
            varies=("batch_size", "steps"),
            claims=(
                Claim(
                    "large_loss", "On large data SGD ends at a lower training loss than full batches, after equal "
                    "passes.",
                    "batches of 256", "full batch", LogLoss("train"), 0.33, 0.412,
                ),
            ),
            replicates=28,
            protocol={"trials": 10, "seeds": 2, "evaluations": 5},
        ),
    ),
)  # fmt: skip

MOMENTUM = Rule(
    name="momentum",
    statement="Momentum accelerates gradient descent.",
    source="Polyak, 1964, doi:10.1016/0041-5553(64)90137-5; Sutskever, Martens, Dahl & Hinton, 2013, ICML",
    experiments=(
        Experiment(
            name="curvatures",
            words=(
                "Linear regression on 310 rows (diabetes), all of them in every step, whose curvatures differ by a "
                "factor of 470: gradient descent without momentum and with 0.9 of it, each at the rate that ends "
                "lowest after 400 steps, which need not be the one that is first at a loss on the way. A first run of "
                "24 replicates varied more than the pilot and is the pilot of this one, which has other seeds."
            ),
            arms={"momentum": Arm(LINEAR, _MOMENTUM), "SGD": Arm(LINEAR, _SGD)},
            varies=("optimizer",),
            claims=(
                Claim(
                    "linear_far",
                    "On an ill-conditioned linear regression momentum comes within 1 % of the least-squares loss in "
                    "fewer steps.",
                    "momentum", "SGD", LogSteps(1.01 * LEAST_SQUARES), 0.25, 0.5139,
                ),
                Claim(
                    "linear_near",
                    "On an ill-conditioned linear regression momentum comes within 0.1 % of the least-squares loss in "
                    "fewer steps.",
                    "momentum", "SGD", LogSteps(1.001 * LEAST_SQUARES), 0.25, 0.4758,
                ),
            ),
            replicates=64,
            protocol=DENSE,
        ),
        Experiment(
            name="network",
            words="A network with one hidden layer on 5,000 digits of MNIST, in batches of 128.",
            arms={"momentum": Arm("mnist_5k", _MOMENTUM), "SGD": Arm("mnist_5k", _SGD)},
            varies=("optimizer",),
            claims=(
                Claim(
                    "network", "In a network with noisy gradients momentum reaches a training loss in fewer steps.",
                    "momentum", "SGD", LogSteps(0.25), 0.25, 0.225,
                ),
            ),
            replicates=24,
            protocol=CLOSELY,
        ),
    ),
)  # fmt: skip

ADAGRAD = Rule(
    name="adagrad",
    statement="AdaGrad suits features of very different frequency.",
    source="Duchi, Hazan & Singer, 2011, JMLR 12:2121-2159, section 1.3",
    experiments=(
        Experiment(
            name="sparse",
            words=(
                "Linear regression on 512 features that are mostly 0, in batches of 32: either as frequent as words "
                "are, the k-th in one of 2k rows, or all in one of 150, which makes as many in all."
            ),
            arms={
                "AdaGrad": Arm(own.SPARSE, "adagrad"),
                "SGD": Arm(own.SPARSE, _SGD),
                "AdaGrad, even": Arm(own.SPARSE_EVEN, "adagrad"),
                "SGD, even": Arm(own.SPARSE_EVEN, _SGD),
            },
            varies=("optimizer", "train", "valid", "test"),
            claims=(
                Claim(
                    "sparse", "Where features differ in frequency AdaGrad ends at a lower test loss than SGD.",
                    "AdaGrad", "SGD", LogLoss(), 0.2, 0.193,
                ),
                Claim(
                    "frequency", "AdaGrad's advantage over SGD is larger where features differ in frequency than "
                    "where not.",
                    "AdaGrad", "SGD", LogLoss(), 0.2, 0.174, ("AdaGrad, even", "SGD, even"),
                ),
            ),
            replicates=24,
        ),
    ),
)  # fmt: skip

RMSPROP = Rule(
    name="rmsprop",
    statement="RMSprop suits gradients of very different scale.",
    source="Tieleman & Hinton, 2012, Coursera: Neural Networks for Machine Learning, lecture 6e",
    experiments=(
        Experiment(
            name="scale",
            words=(
                "A network with two hidden layers on image patches (segment), whose 18 features are in their own "
                "units, from hundredths to hundreds, or standardised; so are the gradients of its first layer."
            ),
            arms={
                "RMSprop": Arm("segment_raw", "rmsprop(decay=0.9)"),
                "SGD": Arm("segment_raw", _SGD),
                "RMSprop, standardised": Arm("segment", "rmsprop(decay=0.9)"),
                "SGD, standardised": Arm("segment", _SGD),
            },
            varies=("optimizer", "preprocessing"),
            claims=(
                Claim(
                    "scale", "On features of different scale RMSprop ends at a lower training loss than SGD.",
                    "RMSprop", "SGD", LogLoss("train"), 0.25, 0.141,
                ),
                Claim(
                    "scale_more", "RMSprop's advantage over SGD is larger where scales differ than where they do not.",
                    "RMSprop", "SGD", LogLoss("train"), 0.25, 0.332, ("RMSprop, standardised", "SGD, standardised"),
                ),
            ),
            replicates=32,
        ),
    ),
)  # fmt: skip

RULES = (LEARNING_RATE, FULL_BATCH, MOMENTUM, ADAGRAD, RMSPROP)

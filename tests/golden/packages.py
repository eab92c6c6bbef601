"""How each independent package is driven, one step at a time; imported only where the packages are.

An `advance(rate, t, grads)` takes the gradients at the parameters it returned last, and returns the parameters after
the step: those that the next gradients are taken at, and those to evaluate.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.gradients import Leaves, Loss, Problem
from tests.oracles import Peer

Advance = Callable[[float, int, Leaves], tuple[Leaves, Leaves]]


def stepper(peer: Peer, problem: Problem) -> Advance:
    """What drives the peer on the problem from its start."""
    return DRIVERS.get(peer.package, torch_stepper)(peer, problem)


def torch_stepper(peer: Peer, problem: Problem) -> Advance:
    """Anything with the interface of torch.optim.Optimizer."""
    import torch

    torch.set_default_dtype(torch.float64)
    leaves = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in problem.start.items()}
    optimizer, averaged = BUILDERS.get(peer.path, _plain)(peer, leaves)
    if hasattr(optimizer, "train"):
        optimizer.train()

    def advance(rate: float, t: int, grads: Leaves) -> tuple[Leaves, Leaves]:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("ratio", 1.0)
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[key])
        optimizer.step(_closure(problem.loss(t), leaves))
        with _evaluating(optimizer):
            evaluated = averaged() if averaged else list(leaves.values())
            values = {key: leaf.detach().numpy().copy() for key, leaf in zip(leaves, evaluated, strict=True)}
        return {key: leaf.detach().numpy().copy() for key, leaf in leaves.items()}, values

    return advance


def _closure(loss: Loss, leaves: dict[str, Any]) -> Callable[[], Any]:
    """What optimizers call that look at the loss more than once: it sets the gradients and returns the value."""
    import torch

    def evaluate() -> Any:
        params = {key: leaf.detach().numpy() for key, leaf in leaves.items()}
        for key, grad in loss.grad(params).items():
            leaves[key].grad = torch.tensor(grad)
        return torch.tensor(loss.value(params))

    return evaluate


@contextlib.contextmanager
def _evaluating(optimizer: Any) -> Iterator[None]:
    """Puts the parameters to evaluate in the place of those that are trained, where a package has such a mode."""
    if hasattr(optimizer, "eval"):
        optimizer.eval()
    yield
    if hasattr(optimizer, "train"):
        optimizer.train()


def _plain(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """The class of that name on all leaves."""
    return _made(peer.path, leaves, peer.setting["learning_rate"], peer.flags), None


def _made(path: str, leaves: dict[str, Any], learning_rate: float, flags: dict[str, Any]) -> Any:
    return _load(path)(list(leaves.values()), lr=learning_rate, **flags)


def _load(path: str) -> Any:
    """What has that dotted name."""
    module, _, name = path.rpartition(".")
    if module.startswith("timm"):
        _timm()
    return getattr(importlib.import_module(module), name)


def _timm() -> None:
    """Makes timm.optim importable without timm.models, which needs torchvision and of which it only takes a name."""
    if "timm" in sys.modules:
        return
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    for name in ("timm", "timm.models"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["timm"].__path__ = spec.submodule_search_locations or []
    sys.modules["timm.models"].__dict__["group_parameters"] = None


def _lookahead(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, Callable[[], list[Any]]]:
    """Around a `base`, evaluated at the slow weights in its state."""
    flags = dict(peer.flags)
    base, base_flags = flags.pop("base")
    optimizer = _load(peer.path)(_made(base, leaves, peer.setting["learning_rate"], base_flags), **flags)
    return optimizer, lambda: [optimizer.state[leaf]["slow_params"] for leaf in leaves.values()]


def _ranger(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, Callable[[], list[Any]]]:
    """Evaluated at the slow weights in its state, too."""
    optimizer = _made(peer.path, leaves, peer.setting["learning_rate"], peer.flags)
    return optimizer, lambda: [optimizer.state[leaf]["slow_buffer"] for leaf in leaves.values()]


def _sam(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """Takes the class of its `base`, and that one's flags beside its own."""
    flags = dict(peer.flags)
    base, base_flags = flags.pop("base")
    return _made(
        peer.path, leaves, peer.setting["learning_rate"], {"base_optimizer": _load(base), **flags, **base_flags}
    ), None


def _averaged(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, Callable[[], list[Any]]]:
    """A `base` and the model that averages its parameters: all alike, or exponentially if there is a `decay`.

    Updated from step `start` + 1 on, as its users do; the parameters themselves are evaluated before.
    """
    import torch
    from torch.optim.swa_utils import get_ema_multi_avg_fn

    optimizer = _made(peer.flags["base"][0], leaves, peer.setting["learning_rate"], peer.flags["base"][1])
    model = torch.nn.ParameterDict(leaves)
    how = get_ema_multi_avg_fn(peer.flags["decay"]) if "decay" in peer.flags else None
    average = _load(peer.path)(model, multi_avg_fn=how)
    step = 0

    def averaged() -> list[Any]:
        nonlocal step
        step += 1
        if step <= peer.flags["start"]:
            return list(leaves.values())
        average.update_parameters(model)
        return [average.module[key] for key in leaves]

    return optimizer, averaged


class _OutByIn:
    """A Muon on the transposes of matrices, as one of ours has its inputs as rows, and Adam on the rest.

    PyTorch's and pytorch_optimizer's both run Newton-Schulz in bfloat16; here they do not.
    """

    def __init__(self, peer: Peer, leaves: dict[str, Any]) -> None:
        import torch

        self.leaves = list(leaves.values())
        self.params = [torch.nn.Parameter(leaf.detach().T) if leaf.ndim == 2 else leaf for leaf in self.leaves]
        matrices = [p for p in self.params if p.ndim == 2]
        others = [p for p in self.params if p.ndim != 2]
        muon = _load(peer.path)
        adam = dict(peer.flags["adam"])
        flags = {k: v for k, v in peer.flags.items() if k != "adam"}
        ratio = peer.setting["adam_ratio"]
        if peer.package == "torch":
            self.optimizers = [muon(matrices, **flags), torch.optim.Adam([{"params": others, "ratio": ratio, **adam}])]
        else:
            groups = [
                {"params": matrices, "use_muon": True},
                {"params": others, "use_muon": False, "ratio": ratio, **adam},
            ]
            self.optimizers = [muon(groups, **flags)]
        self.param_groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def step(self, closure: Callable[[], Any]) -> None:
        import torch

        del closure
        for p, leaf in zip(self.params, self.leaves, strict=True):
            p.grad = leaf.grad.T if leaf.ndim == 2 else leaf.grad
        with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone), _orthogonalizing_in_float64():
            for optimizer in self.optimizers:
                optimizer.step()


@contextlib.contextmanager
def _orthogonalizing_in_float64() -> Iterator[None]:
    import torch

    base = importlib.import_module("pytorch_optimizer.optimizer.muon.base")
    in_float64 = partial(base.zero_power_via_newton_schulz_5, dtype=torch.float64)
    with patch.object(base, "zero_power_via_newton_schulz_5", in_float64):
        yield


def _soap(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """Casts to float32 before its QR: here it does not."""
    import torch

    optimizer = _made(peer.path, leaves, peer.setting["learning_rate"], peer.flags)
    step = optimizer.step

    def step_in_float64(closure: Callable[[], Any]) -> Any:
        with patch.object(torch, "float32", torch.float64):
            return step(closure)

    optimizer.step = step_in_float64
    return optimizer, None


def _unpadded(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """Adds 1e-15 to second moments before their root, besides its epsilon: here it does not."""
    optimizer = _made(peer.path, leaves, peer.setting["learning_rate"], peer.flags)
    optimizer.apply_ams_bound = partial(optimizer.apply_ams_bound, exp_avg_sq_eps=0.0)
    return optimizer, None


def _mars(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """Takes 0 for the gradient before the first; here that is the first itself, as in timm."""
    optimizer, _ = _unpadded(peer, leaves)
    init_group = optimizer.init_group

    def init_group_and_last_grad(group: dict[str, Any]) -> None:
        init_group(group)
        if group["step"] == 0:
            for p in group["params"]:
                optimizer.state[p]["last_grad"].copy_(p.grad)

    optimizer.init_group = init_group_and_last_grad
    return optimizer, None


def _qhadam(peer: Peer, leaves: dict[str, Any]) -> tuple[Any, None]:
    """Has the weights of its averages in float32: here it does not. Takes its nus as a tuple only."""
    import torch

    flags = {**peer.flags, "nus": tuple(peer.flags["nus"])}
    optimizer = _made(peer.path, leaves, peer.setting["learning_rate"], flags)
    for leaf in leaves.values():
        leaf.grad = torch.zeros_like(leaf)
    for group in optimizer.param_groups:
        optimizer.init_group(group)
    for state in optimizer.state.values():
        state.update({key: state[key].double() for key in ("beta1_weight", "beta2_weight")})
    return optimizer, None


# Peers that take more than a class and its flags: (the optimizer, what gives the parameters to evaluate, or None).
# A parameter group may carry a `ratio` to the learning rate of the setting.
BUILDERS: dict[str, Callable[[Peer, dict[str, Any]], tuple[Any, Callable[[], list[Any]] | None]]] = {
    "pytorch_optimizer.AdaBound": _unpadded,
    "pytorch_optimizer.DiffGrad": _unpadded,
    "pytorch_optimizer.LaProp": _unpadded,
    "pytorch_optimizer.MARS": _mars,
    "pytorch_optimizer.QHAdam": _qhadam,
    "pytorch_optimizer.Lookahead": _lookahead,
    "pytorch_optimizer.Ranger": _ranger,
    "pytorch_optimizer.SAM": _sam,
    "torch.optim.swa_utils.AveragedModel": _averaged,
    "torch.optim.Muon": lambda peer, leaves: (_OutByIn(peer, leaves), None),
    "pytorch_optimizer.Muon": lambda peer, leaves: (_OutByIn(peer, leaves), None),
    "pytorch_optimizer.SOAP": _soap,
}


def keras_stepper(peer: Peer, problem: Problem) -> Advance:
    """keras.optimizers, on PyTorch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")  # on TensorFlow its hyperparameters pass through float32
    import keras

    keras.config.set_floatx("float64")  # or the optimizer's own scalars are float32
    leaves = {key: keras.Variable(value, dtype="float64", name=key) for key, value in problem.start.items()}
    cls = getattr(keras.optimizers, peer.path.rpartition(".")[2])
    optimizer = cls(learning_rate=peer.setting["learning_rate"], **peer.flags)
    optimizer.build(list(leaves.values()))

    def advance(rate: float, t: int, grads: Leaves) -> tuple[Leaves, Leaves]:
        del t
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(grads[key], dtype="float64") for key in leaves])
        values = {key: np.array(keras.ops.convert_to_numpy(leaf.value)) for key, leaf in leaves.items()}
        return values, values

    return advance


def optax_stepper(peer: Peer, problem: Problem) -> Advance:
    """optax and optax.contrib."""
    import jax

    jax.config.update("jax_enable_x64", True)
    array = jax.numpy.atleast_1d if peer.path == "optax.sm3" else jax.numpy.asarray  # sm3 has no rule for scalars
    init, update = OPTAX_BUILDERS.get(peer.path, _optax_plain)(peer, problem)
    state = init({key: array(value) for key, value in problem.start.items()})
    update = jax.jit(update)

    def advance(rate: float, t: int, grads: Leaves) -> tuple[Leaves, Leaves]:
        nonlocal state
        state, params, evaluated = update(rate, problem.loss(t).noise, {k: array(g) for k, g in grads.items()}, state)
        values, averages = (
            {k: np.array(v, np.float64).reshape(grads[k].shape) for k, v in tree.items()}
            for tree in (params, evaluated)
        )
        return values, averages

    return advance


# A peer in optax is init(params) -> state and update(rate, noise of the loss, grads, state) -> (state, the parameters
# for the next gradients, the parameters to evaluate).
Rule = tuple[Callable[[Any], Any], Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]]


def _optax_plain(peer: Peer, problem: Problem) -> Rule:
    """The transformation of that name, the rate its first argument; schedule-free ones evaluate other parameters."""
    import optax

    del problem
    make = partial(_load(peer.path), **peer.flags)

    def init(params: Any) -> Any:
        return params, make(peer.setting["learning_rate"]).init(params)

    def update(rate: Any, noise: Any, grads: Any, state: Any) -> tuple[Any, Any, Any]:
        del noise
        params, inner = state
        updates, inner = make(rate).update(grads, inner, params)
        params = optax.apply_updates(params, updates)
        evaluated = params
        if "schedule_free" in peer.path:
            evaluated = optax.contrib.schedule_free_eval_params(inner, params)
        return (params, inner), params, evaluated

    return init, update


def _optax_lookahead(peer: Peer, problem: Problem) -> Rule:
    """Around a `base`, on pairs of fast and slow parameters."""
    import optax

    del problem
    flags = dict(peer.flags)
    base, base_flags = flags.pop("base")

    def make(rate: Any) -> Any:
        return optax.lookahead(_load(base)(rate, **base_flags), **flags)

    def init(params: Any) -> Any:
        pair = optax.LookaheadParams.init_synced(params)
        return pair, make(peer.setting["learning_rate"]).init(pair)

    def update(rate: Any, noise: Any, grads: Any, state: Any) -> tuple[Any, Any, Any]:
        del noise
        pair, inner = state
        updates, inner = make(rate).update(grads, inner, pair)
        pair = optax.apply_updates(pair, updates)
        return (pair, inner), pair.fast, pair.slow

    return init, update


def _optax_ema(peer: Peer, problem: Problem) -> Rule:
    """Of the parameters that a `base` trains."""
    import optax

    del problem
    flags = dict(peer.flags)
    base, base_flags = flags.pop("base")
    average = optax.ema(**flags)

    def init(params: Any) -> Any:
        return params, _load(base)(peer.setting["learning_rate"], **base_flags).init(params), average.init(params)

    def update(rate: Any, noise: Any, grads: Any, state: Any) -> tuple[Any, Any, Any]:
        del noise
        params, inner, averaged = state
        updates, inner = _load(base)(rate, **base_flags).update(grads, inner, params)
        params = optax.apply_updates(params, updates)
        evaluated, averaged = average.update(params, averaged)
        return (params, inner, averaged), params, evaluated

    return init, update


def _optax_sam(peer: Peer, problem: Problem) -> Rule:
    """Around a `base`, in the mode in which it takes the second gradient itself; `rho` is the ascent's rate."""
    import optax

    base, base_flags = peer.flags["base"]

    def make(rate: Any) -> Any:
        ascent = optax.chain(optax.contrib.normalize(), optax.sgd(peer.flags["rho"]))
        return optax.contrib.sam(_load(base)(rate, **base_flags), ascent, opaque_mode=True)

    def init(params: Any) -> Any:
        return params, make(peer.setting["learning_rate"]).init(params)

    def update(rate: Any, noise: Any, grads: Any, state: Any) -> tuple[Any, Any, Any]:
        params, inner = state
        loss = Loss(noise, problem.pull, problem.mask)
        updates, inner = make(rate).update(grads, inner, params, grad_fn=lambda at, _: loss.grad(at))
        params = optax.apply_updates(params, updates)
        return (params, inner), params, params

    return init, update


def _optax_lbfgs(peer: Peer, problem: Problem) -> Rule:
    """Its first step is along g / ||g||_2, PyTorch's along g / ||g||_1: here it is as long as PyTorch's."""
    import jax
    import optax

    init, plain_update = _optax_plain(peer, problem)

    def update(rate: Any, noise: Any, grads: Any, state: Any) -> tuple[Any, Any, Any]:
        ratio = optax.tree.norm(grads) / optax.tree.norm(grads, ord=1)
        first = optax.tree.get(state, "count") == 0
        return plain_update(rate * jax.numpy.where(first, ratio, 1.0), noise, grads, state)

    return init, update


OPTAX_BUILDERS: dict[str, Callable[[Peer, Problem], Rule]] = {
    "optax.lbfgs": _optax_lbfgs,
    "optax.lookahead": _optax_lookahead,
    "optax.ema": _optax_ema,
    "optax.contrib.sam": _optax_sam,
}
DRIVERS: dict[str, Callable[[Peer, Problem], Advance]] = {"keras": keras_stepper, "optax": optax_stepper}

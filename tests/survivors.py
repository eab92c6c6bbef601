"""The changes to an update rule that no test should notice, and why: what `python -m tests.mutants` reads."""

from tests.mutating import Key

CANCELS = "a factor or sign that cancels"
CLAMPED = "JAX clamps the index"
COST = "the same numbers at another cost"
EQUAL = "differs at most where two computed numbers are equal"
REPLACED = "the inner rule's value stands instead"
SAME = "both say the same"
UNUSED = "of a value that is not chosen, or is multiplied by zero"

_LISTED: dict[str, list[tuple[str, str, str]]] = {
    CANCELS: [
        (
            "adafactor.py",
            "jnp.sum(x, axis) / max(x.shape[axis], 1)",
            "-(jnp.sum(x, axis) / max(x.shape[axis], 1))",
        ),
        (
            "adafactor.py",
            "jnp.sum(x, axis) / max(x.shape[axis], 1)",
            "jnp.sum(x, axis) * max(x.shape[axis], 1)",
        ),
        (
            "adafactor.py",
            "jnp.sum(x, axis) / max(x.shape[axis], 1)",
            "jnp.sum(x, axis) / min(x.shape[axis], 1)",
        ),
        (
            "adafactor.py",
            "jnp.sum(x, axis) / max(x.shape[axis], 1)",
            "jnp.sum(x, axis) / max(x.shape[axis], 2)",
        ),
        (
            "lbfgs.py",
            "jnp.where(kept, jnp.concatenate([old[1:], x[None]]), old)",
            "-jnp.where(kept, jnp.concatenate([old[1:], x[None]]), old)",
        ),
        ("prodigy.py", "d / d0 * rate", "d * d0 * rate"),
        ("prodigy.py", "lambda s, g: b3 * s + weight * g", "lambda s, g: b3 * s - weight * g"),
        ("radam.py", "c2 / (1 - b2)", "-(c2 / (1 - b2))"),
        ("radam.py", "c2 / (1 - b2)", "c2 * (1 - b2)"),
        (
            "soap.py",
            "jnp.linalg.eigh(gram)[1].T.astype(q.dtype)",
            "-jnp.linalg.eigh(gram)[1].T.astype(q.dtype)",
        ),
        (
            "soap.py",
            "jnp.linalg.qr(gram @ q[at].T)[0].T.astype(q.dtype)",
            "-jnp.linalg.qr(gram @ q[at].T)[0].T.astype(q.dtype)",
        ),
    ],
    CLAMPED: [
        (
            "soap.py",
            "jnp.where(k % precondition_frequency == 0, 1, 2)",
            "jnp.where(k % precondition_frequency == 0, 1, 3)",
        ),
    ],
    COST: [
        ("muon.py", "u.shape[0] > u.shape[1]", "u.shape[0] < u.shape[1]"),
        ("muon.py", "u.shape[0] > u.shape[1]", "u.shape[1] > u.shape[1]"),
    ],
    EQUAL: [
        ("_base.py", "weight < 0.5", "weight <= 0.5"),
        ("lbfgs.py", "inner_product(*fresh) > 1e-10", "inner_product(*fresh) >= 1e-10"),
        ("radam.py", "rho > threshold", "rho >= threshold"),
    ],
    REPLACED: [
        ("wrappers/decoupled_decay.py", "0.001", "0.002"),
        ("wrappers/schedule_free.py", "0.001", "0.002"),
    ],
    SAME: [
        ("adafactor.py", "moment[0] / _mean(moment[0], 0)", "moment[0] / _mean(moment[1], 0)"),
        (
            "sm3.py",
            "jnp.max(jnp.zeros_like(p), s, keepdims=True, initial=0.0)",
            "jnp.min(jnp.zeros_like(p), s, keepdims=True, initial=0.0)",
        ),
    ],
    UNUSED: [
        ("fromage.py", "jnp.where(length > 0, length, 1.0)", "jnp.where(length > 0, length, 2.0)"),
        ("lbfgs.py", "jnp.where(curvature > 0, curvature, 1.0)", "jnp.where(curvature > 0, curvature, 2.0)"),
        ("lbfgs.py", "jnp.where(square > 0, square, 1.0)", "jnp.where(square > 0, square, 2.0)"),
        ("lbfgs.py", "jnp.where(square > 0, square, 1.0)", "jnp.where(square >= 0, square, 1.0)"),
        ("lamb.py", "jnp.where(both, sizes[1], 1.0)", "jnp.where(both, sizes[1], 2.0)"),
        ("lars.py", "jnp.where(both, length, 1.0)", "jnp.where(both, length, 2.0)"),
        ("prodigy.py", "jnp.where(moving, length, 1.0)", "jnp.where(moving, length, 2.0)"),
        ("radam.py", "jnp.where(trusted, ratio, 1.0)", "jnp.where(trusted, ratio, 2.0)"),
        (
            "wrappers/schedule_free.py",
            "jnp.where(weight_sum > 0, weight / weight_sum, 0.0)",
            "jnp.where(weight_sum > 0, weight / weight_sum, 1.0)",
        ),
    ],
}
SURVIVORS = {Key(f"optimizers/{file}", old, new): why for why, every in _LISTED.items() for file, old, new in every}

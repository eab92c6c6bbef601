"""The changes to an update rule that no test should notice, and why: what `python -m tests.mutants` reads."""

from tests.mutating import Key

EQUAL = "differs only where two computed numbers are equal"
SIGN = "the sign of an eigenvector, or of both sides of a pair, says nothing"
UNUSED = "of a value that is not chosen"
CLAMPED = "JAX clamps the index"
SCALE = "a common factor that cancels"

_LISTED: dict[str, list[tuple[str, str, str]]] = {
    EQUAL: [
        ("lbfgs.py", "inner_product(*fresh) > 1e-10", "inner_product(*fresh) >= 1e-10"),
        ("radam.py", "rho > threshold", "rho >= threshold"),
    ],
    SIGN: [
        (
            "lbfgs.py",
            "jnp.where(kept, jnp.concatenate([old[1:], x[None]]), old)",
            "-jnp.where(kept, jnp.concatenate([old[1:], x[None]]), old)",
        ),
        (
            "soap.py",
            "jnp.linalg.eigh(gram)[1][:, ::-1].T.astype(q.dtype)",
            "-jnp.linalg.eigh(gram)[1][:, ::-1].T.astype(q.dtype)",
        ),
        (
            "soap.py",
            "jnp.linalg.qr(gram @ q[at].T)[0].T.astype(q.dtype)",
            "-jnp.linalg.qr(gram @ q[at].T)[0].T.astype(q.dtype)",
        ),
    ],
    UNUSED: [
        (
            "soap.py",
            "jnp.where(k > 0, correction(k, 1 - b1), 1.0)",
            "jnp.where(k > 0, correction(k, 1 - b1), 2.0)",
        ),
    ],
    CLAMPED: [
        (
            "soap.py",
            "jnp.where(k % precondition_frequency == 0, 1, 2)",
            "jnp.where(k % precondition_frequency == 0, 1, 3)",
        ),
    ],
    SCALE: [
        ("radam.py", "c2 / (1 - b2)", "-(c2 / (1 - b2))"),
        ("radam.py", "c2 / (1 - b2)", "c2 * (1 - b2)"),
    ],
}
SURVIVORS = {Key(f"optimizers/{file}", old, new): why for why, every in _LISTED.items() for file, old, new in every}

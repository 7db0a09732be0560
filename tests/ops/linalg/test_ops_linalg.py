"""Linear algebra and clipping by norm against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
import pytest
from support import harness
from support.harness import Case, check_error, raises, test_of

import tapejax

ROWS = [
    lambda tf, m: tf.matmul(m, m, transpose_a=True, transpose_b=True),
    raises("InvalidArgumentError", lambda tf, m, v: tf.matmul(m, v)),
    raises("InvalidArgumentError", lambda tf, x, m: tf.matmul(m, x, transpose_b=True)),
    raises("InvalidArgumentError", lambda tf, x: tf.matmul(x, x)),
    lambda tf, ti: tf.matmul(ti, ti),
    raises("InvalidArgumentError", lambda tf, m, ti: tf.matmul(ti, m)),
    raises(ValueError, lambda tf, m: tf.matmul(m, m, transpose_a=True, adjoint_a=True)),
    lambda tf, c: tf.matmul(c, c, adjoint_a=True),
    lambda tf: tf.matmul(tf.zeros([5, 1, 2, 3]), tf.zeros([4, 3, 2])).shape,
    raises("InvalidArgumentError", lambda tf: tf.matmul(tf.zeros([5, 2, 3]), tf.zeros([4, 3, 2])).shape),
    lambda tf: tf.matmul(tf.constant([[1, 2]], tf.int8), tf.constant([[1], [2]], tf.int8), output_type=tf.int32),
    lambda tf, m: tf.matmul(tf.cast(m, tf.bfloat16), tf.cast(m, tf.bfloat16)),
    lambda tf: tf.matmul([[1.0, 2.0]], [[1], [2]]),
    lambda tf, m, v: tf.linalg.matvec(m, v),
    lambda tf, m: tf.linalg.matvec(m, m),
    lambda tf, m, v: tf.linalg.matvec(m, v, transpose_a=True),
    lambda tf, v: tf.linalg.diag(v),
    lambda tf, v: tf.linalg.diag(v, k=1),
    raises("InvalidArgumentError", lambda tf: tf.linalg.diag([[1, 2], [3, 4]], k=(0, 1), num_rows=3, num_cols=3)),
    lambda tf: tf.linalg.diag([[1, 2, 0], [3, 4, 5]], k=(-1, 0)),
    lambda tf, v: tf.linalg.diag(v, num_rows=3, padding_value=7),
    lambda tf, x: tf.linalg.diag_part(x),
    lambda tf, x: tf.linalg.diag_part(x, k=1),
    lambda tf, x: tf.linalg.diag_part(x, k=(-1, 1)),
    lambda tf, x: tf.linalg.diag_part(x, k=(-1, 1), align="LEFT_LEFT", padding_value=9),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.diag_part(x, k=5)),
    lambda tf, x: tf.linalg.set_diag(x, [9.0, 8.0]),
    lambda tf, x: tf.linalg.set_diag(x, [9.0, 8.0], k=1),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.set_diag(x, [9.0, 8.0, 1.0])),
    lambda tf, v: tf.linalg.tensor_diag(v),
    lambda tf, m: tf.linalg.tensor_diag_part(m),
    lambda tf, x: tf.linalg.band_part(x, 0, -1),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.band_part(x, 5, 0)),
    raises("InvalidArgumentError", lambda tf, v: tf.linalg.band_part(v, 0, 0)),
    lambda tf, x: tf.linalg.trace(x),
    raises("InvalidArgumentError", lambda tf, v: tf.linalg.trace(v)),
    lambda tf, x: tf.linalg.matrix_transpose(x),
    raises(ValueError, lambda tf, v: tf.linalg.matrix_transpose(v)),
    lambda tf, c: tf.linalg.matrix_transpose(c, conjugate=True),
    lambda tf, x: tf.tensordot(x, x, [[1], [1]]),
    raises("InvalidArgumentError", lambda tf, x: tf.tensordot(x, x, 1)),
    lambda tf, x: tf.tensordot(x, x, 2),
    lambda tf, x, v: tf.tensordot(x, v, [[0], [0]]),
    lambda tf, x: tf.tensordot(x, x, [0, 0]),
    lambda tf, x, m: tf.tensordot(x, m, 0).shape,
    raises("InvalidArgumentError", lambda tf, m, ti: tf.tensordot(ti, m, 1)),
    raises(ValueError, lambda tf, x: tf.tensordot(x, x, -1)),
    lambda tf, m: tf.einsum("ij,jk->ik", m, m),
    lambda tf, x: tf.einsum("ij,kj", x, x),
    lambda tf, m: tf.einsum("ii", m),
    lambda tf: tf.einsum("...ij,...jk->...ik", tf.zeros([4, 2, 3]), tf.zeros([3, 5])).shape,
    raises("InvalidArgumentError", lambda tf, x: tf.einsum("ij,jk->ik", x, x)),
    lambda tf, ti: tf.einsum("ij->i", ti),
    raises("InvalidArgumentError", lambda tf, m, ti: tf.einsum("ij,jk->ik", m, ti)),
    raises(ValueError, lambda tf, m: tf.einsum("ij->k", m)),
    raises("InvalidArgumentError", lambda tf, m: tf.einsum("ijk->i", m)),
    raises(ValueError, lambda tf, m: tf.einsum("ij,jk->ik", m)),
    lambda tf, m: tf.einsum("ij , jk -> ik", m, m),
    lambda tf, v: tf.einsum("i,i->", v, v),
    # Several axes at once, merged where they are in order; values and gradients.
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,df->btf", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(8.0).reshape(4, 2)
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,df->fbt", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(8.0).reshape(4, 2)
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,dhc->bthc", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(24.0).reshape(4, 2, 3),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,tdf->bf", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(24.0).reshape(3, 4, 2),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,dtf->bf", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(24.0).reshape(4, 3, 2),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,btf->bdf", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(12.0).reshape(2, 3, 2),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,bdfg->btfg", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(48.0).reshape(2, 4, 2, 3),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("dbt,btf->df", a, w) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(24.0).reshape(3, 4, 2),
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,fb->ftd", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(6.0).reshape(3, 2)
    ),
    lambda tf, g: g(
        lambda a, w: tf.einsum("btd,btd->", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.ones((2, 3, 4))
    ),
    lambda tf, g: g(lambda a, w: tf.einsum("btd,bt->d", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.ones((2, 3))),
    lambda tf, g: g(lambda a, w: tf.einsum("btd,tb->d", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.ones((3, 2))),
    lambda tf, g: g(lambda a, w: tf.einsum("btd,df->f", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.ones((4, 5))),
    raises(
        "InvalidArgumentError",
        lambda tf, g: g(
            lambda a, w: tf.einsum("btd,tdf->bf", a, w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.ones((4, 3, 2))
        ),
    ),
    raises("InvalidArgumentError", lambda tf, x, m: tf.einsum("btd,df->btf", x, m)),
    lambda g: g(lambda a, w: (a @ w) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(8.0).reshape(4, 2)),
    lambda tf, g: g(
        lambda a, w: tf.matmul(a, w, transpose_b=True) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(8.0).reshape(2, 4),
    ),
    lambda tf, g: g(
        lambda a, w: tf.tensordot(a, w, 1) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(4, 2, 3)
    ),
    lambda tf, g: g(
        lambda a, w: tf.tensordot(a, w, 2) ** 2, np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(3, 4, 2)
    ),
    lambda tf, g: g(
        lambda a, w: tf.tensordot(a, w, [[2, 1], [0, -2]]) ** 2,
        np.arange(24.0).reshape(2, 3, 4),
        np.arange(24.0).reshape(4, 3, 2),
    ),
    lambda tf, x: tf.norm(x),
    lambda tf, x: tf.norm(x, axis=1),
    lambda tf, x: tf.norm(x, ord=1, axis=1),
    lambda tf, x: tf.norm(x, ord=1),
    lambda tf, x: tf.norm(x, ord=np.inf, axis=[0, 1]),
    lambda tf, x: tf.norm(x, ord=1, axis=[0, 1]),
    lambda tf, x: tf.norm(x, ord="fro", axis=[0, 1], keepdims=True),
    raises(ValueError, lambda tf, x: tf.norm(x, ord="fro")),
    raises(ValueError, lambda tf, x: tf.norm(x, ord="fro", axis=1)),
    raises(ValueError, lambda tf, x: tf.norm(x, ord="foo")),
    lambda tf, x: tf.norm(x, ord=3),
    lambda tf, x: tf.norm(x, ord=2, axis=[0, 1]),
    raises(ValueError, lambda tf, x: tf.norm(x, ord=-1)),
    raises(ValueError, lambda tf, x: tf.norm(x, axis=[0, 1, 2])),
    lambda tf, c: tf.norm(c),
    raises("InvalidArgumentError", lambda tf, ti: tf.norm(ti)),
    lambda tf, x: tf.norm(x, ord=np.inf),
    lambda tf, x: tf.norm(x, ord=0.5),
    lambda tf: tf.norm([3, 4.0]),
    lambda tf, m: tf.linalg.cholesky(m),
    lambda tf: tf.linalg.cholesky([[2.0, 5.0], [1.0, 3.0]]),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.cholesky(x)),
    lambda tf, m: tf.linalg.det(m),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.det(x)),
    lambda tf, m: tf.linalg.inv(m),
    lambda tf, m: tf.linalg.inv(m, adjoint=True),
    lambda tf, c: tf.linalg.inv(c, adjoint=True),
    raises("InvalidArgumentError", lambda tf, ti: tf.linalg.inv(ti)),
    raises("InvalidArgumentError", lambda tf, m, v: tf.linalg.solve(m, v)),
    lambda tf, m, v: tf.linalg.solve(m, v[:, None]),
    lambda tf, m: tf.linalg.solve(m, m, adjoint=True),
    raises("InvalidArgumentError", lambda tf, m: tf.linalg.solve(m, tf.zeros([3, 1]))),
    lambda tf, m, v: tf.linalg.triangular_solve(m, v[:, None]),
    lambda tf, m, v: tf.linalg.triangular_solve(m, v[:, None], lower=False, adjoint=True),
    raises("InvalidArgumentError", lambda tf, m, v: tf.linalg.triangular_solve(m, v)),
    lambda tf, m: tf.linalg.triangular_solve(m, tf.zeros([3, 2, 1])).shape,
    raises("InvalidArgumentError", lambda tf, m: tf.linalg.solve(m, tf.zeros([3, 2, 1])).shape),
    lambda tf, m, v: tf.linalg.global_norm([v, None, m]),
    lambda tf: tf.linalg.global_norm([]),
    lambda tf: tf.linalg.global_norm([None]),
    raises(TypeError, lambda tf, v: tf.linalg.global_norm(v)),
    lambda tf, v: tf.clip_by_norm(v, 1.0),
    lambda tf, v: tf.clip_by_norm(v, 10.0),
    lambda tf, v: tf.clip_by_norm(v * 0, 1.0),
    lambda tf, m: tf.clip_by_norm(m, 1.0, axes=[1]),
    lambda tf, m: tf.clip_by_norm(m, 1),
    raises("InvalidArgumentError", lambda tf, ti: tf.clip_by_norm(ti, 1)),
    lambda tf, m: tf.clip_by_norm(m, -1.0),
    lambda tf, m, v: tf.clip_by_norm(m, v[:, None]),
    lambda tf, m, v: tf.clip_by_global_norm([v, None, m], 1.0),
    lambda tf, m, v: tf.clip_by_global_norm([v, None, m], 100.0),
    lambda tf, v: tf.clip_by_global_norm((v,), 1.0),
    raises(TypeError, lambda tf, v: tf.clip_by_global_norm(v, 1.0)),
    lambda tf, v: tf.clip_by_global_norm([v / 0], 1.0),
    raises("InvalidArgumentError", lambda tf, m, v: tf.clip_by_global_norm([v, tf.cast(m, tf.float64)], 1.0)),
    lambda tf: tf.clip_by_global_norm([], 1.0),
    lambda tf, v: tf.clip_by_global_norm([v * 0], 1.0),
    lambda tf, v: tf.clip_by_global_norm([v], 0.0),
    lambda tf, v: tf.clip_by_global_norm([v], -1.0),
    lambda tf, g: g(tf.linalg.cholesky, [[2.0, 1.0], [1.0, 3.0]]),
    lambda tf, g: g(tf.linalg.det, [[2.0, 1.0], [1.0, 3.0]]),
    lambda tf, g: g(tf.linalg.inv, [[2.0, 1.0], [0.5, 3.0]]),
    lambda tf, g: g(lambda a, b: tf.linalg.triangular_solve(a, b), [[2.0, 1.0], [0.5, 3.0]], [[1.0], [2.0]]),
    lambda tf, g: g(lambda a: tf.norm(a, axis=1), [[0.0, 0.0], [3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.norm(a, axis=1)[1], [[0.0, 0.0], [3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.norm(a, ord=1, axis=1), [[0.0, 0.0], [3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.norm(a, ord=np.inf, axis=1), [[1.0, 1.0], [3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.norm(a, ord=3, axis=1), [[0.0, 1.0], [3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.clip_by_norm(a, 1.0), [3.0, 4.0]),
    lambda tf, g: g(lambda a: tf.clip_by_norm(a, 1.0), [0.0, 0.0]),
    lambda tf, g: g(lambda a: tf.clip_by_norm(a, 5.0), [3.0, 4.0]),
    lambda tf, g: g(lambda a, n: tf.clip_by_norm(a, n), [3.0, 4.0], 5.0),
    lambda tf, g: g(lambda a: tf.clip_by_global_norm([a], 1.0)[0], [3.0, 4.0]),
    lambda tf, g: g(lambda a: tf.clip_by_global_norm([a], 5.0)[0], [3.0, 4.0]),
    lambda tf, g: g(lambda a: tf.clip_by_global_norm([a], 9.0)[0], [3.0, 4.0]),
    lambda tf, g: g(lambda a: tf.linalg.global_norm([a]), [3.0, 4.0]),
    lambda tf, g: g(lambda a: tf.linalg.global_norm([a]), [0.0, 0.0]),
    lambda tf, g: g(lambda a, b: tf.matmul(a, b, transpose_b=True), [[1.0, 2.0]], [[3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.einsum("ij,ij->i", a, a), [[3.0, 4.0]]),
    lambda tf, g: g(lambda a: tf.linalg.diag_part(a, k=1), [[3.0, 4.0], [5.0, 6.0]]),
    lambda tf, x: tf.linalg.svd(x, compute_uv=False),
    raises("InvalidArgumentError", lambda tf, v: tf.linalg.svd(v)),
    raises("InvalidArgumentError", lambda tf, ti: tf.linalg.svd(ti)),
    lambda tf, m: tf.abs(tf.linalg.svd(m)[1]),
    lambda tf, x: tf.abs(tf.linalg.svd(x)[2]),
    lambda tf, x: tf.linalg.svd(x, full_matrices=True)[2].shape,
    lambda tf, c: tf.linalg.svd(c, compute_uv=False),
    lambda tf: tf.linalg.svd(tf.ones([0, 3]))[1].shape,
    lambda tf, m: tf.linalg.eigh(m)[0],
    lambda tf: tf.linalg.eigh([[2.0, 5.0], [1.0, 3.0]])[0],
    lambda tf, m: tf.abs(tf.linalg.eigh(m)[1]),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.eigh(x)),
    lambda tf, m: tf.linalg.eigvalsh(m),
    lambda tf, c: tf.linalg.eigvalsh(c),
    lambda tf, c: tf.linalg.eigh(c)[0],
    lambda tf, m: tf.linalg.eigvals(m),
    lambda tf, c: tf.eigvals(c),
    lambda tf, m: tf.eig(m)[0],
    lambda tf, m: tf.abs(tf.linalg.eig(m)[1]),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.eig(x)),
    lambda tf, m: tf.linalg.qr(m),
    lambda tf, x: tf.linalg.qr(x),
    lambda tf, x: tf.linalg.qr(tf.transpose(x), full_matrices=True).r,
    lambda tf, x: tf.abs(tf.linalg.qr(tf.transpose(x), full_matrices=True).q),
    lambda tf, c: tf.linalg.qr(c).r,
    raises("InvalidArgumentError", lambda tf, v: tf.linalg.qr(v)),
    lambda tf, x: tf.linalg.qr(x, full_matrices=True),
    lambda tf, m: tf.linalg.lu(m),
    lambda tf: tf.linalg.lu([[0.0, 2.0], [1.0, 3.0]], output_idx_type=tf.int64),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.lu(x)),
    lambda tf: tf.linalg.lu_reconstruct(*tf.linalg.lu([[0.0, 2.0], [1.0, 3.0]])),
    lambda tf: tf.linalg.lu_matrix_inverse(*tf.linalg.lu([[0.0, 2.0], [1.0, 3.0]])),
    lambda tf, x: tf.linalg.lu_solve(*tf.linalg.lu([[0.0, 2.0], [1.0, 3.0]]), rhs=x),
    lambda tf, x, m: tf.linalg.lu_solve(*tf.linalg.lu(tf.stack([m, m[::-1]])), rhs=x),
    lambda tf, m: tf.linalg.slogdet(-m),
    lambda tf: tf.linalg.slogdet(tf.zeros([2, 2]))[1],
    lambda tf, c: tf.linalg.slogdet(c),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.slogdet(x)),
    raises("InvalidArgumentError", lambda tf, ti: tf.linalg.slogdet(ti)),
    lambda tf, m: tf.linalg.logdet(m),
    lambda tf, m: tf.linalg.logdet(-m),
    lambda tf, m: tf.linalg.logdet(tf.stack([m, 2 * m])),
    lambda tf, m: tf.linalg.logdet(tf.cast(m, tf.complex64)),
    lambda tf, m: tf.linalg.cholesky(-m),
    raises("InvalidArgumentError", lambda tf, ti: tf.linalg.cholesky(ti)),
    lambda tf, m: tf.linalg.expm(m),
    lambda tf, m: tf.linalg.expm(tf.stack([m, -9 * m])),
    lambda tf, c: tf.linalg.expm(c),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.expm(x)),
    lambda tf, m: tf.linalg.expm(tf.cast(m, tf.float64) * 3),
    lambda tf, m: tf.linalg.sqrtm(m),
    lambda tf, m: tf.linalg.sqrtm(-m),
    lambda tf: tf.linalg.sqrtm([[1.0, 2.0], [2.0, 4.0]]),
    lambda tf, c: tf.linalg.sqrtm(c),
    raises("InvalidArgumentError", lambda tf, x: tf.linalg.sqrtm(x)),
    lambda tf: tf.linalg.sqrtm([[0.0, 1.0], [-1.0, 0.0]]),
    lambda tf, m: tf.linalg.sqrtm(tf.stack([m, 2 * m])),
    raises("InvalidArgumentError", lambda tf, m: tf.linalg.logm(m)),
    lambda tf, m: tf.linalg.logm(tf.cast(m, tf.complex64)),
    lambda tf, c: tf.linalg.logm(c),
    lambda tf, m: tf.linalg.matrix_rank(m),
    lambda tf: tf.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]),
    lambda tf, m: tf.linalg.matrix_rank(m, tol=2.0),
    raises(TypeError, lambda tf, ti: tf.linalg.matrix_rank(ti)),
    lambda tf, m: tf.linalg.matrix_rank(tf.stack([m, m * 0]), tol=[1.0, 1.0]),
    lambda tf, m: tf.linalg.pinv(m),
    lambda tf, x: tf.linalg.pinv(x),
    lambda tf: tf.linalg.pinv([[1.0, 2.0], [2.0, 4.0]]),
    lambda tf, x: tf.linalg.pinv(x, rcond=0.5),
    raises(TypeError, lambda tf, ti: tf.linalg.pinv(ti)),
    raises(ValueError, lambda tf, v: tf.linalg.pinv(v)),
    raises(TypeError, lambda tf, c: tf.linalg.pinv(c)),
    lambda tf, x, m: tf.linalg.lstsq(m, x),
    lambda tf, x: tf.linalg.lstsq(tf.transpose(x), tf.ones([3, 1])),
    lambda tf, x, m: tf.linalg.lstsq(x, m),
    lambda tf, x, m: tf.linalg.lstsq(x, m, l2_regularizer=0.5),
    lambda tf, x: tf.linalg.lstsq(tf.transpose(x), tf.ones([3, 2]), l2_regularizer=0.5),
    lambda tf, x, m: tf.linalg.lstsq(x, m, fast=False),
    raises("InvalidArgumentError", lambda tf, x, v: tf.linalg.lstsq(x, v)),
    lambda tf, c: tf.linalg.lstsq(c, c),
    raises("InvalidArgumentError", lambda tf, m: tf.linalg.lstsq(m, tf.ones([3, 1]))),
    lambda tf, x, m: tf.linalg.cholesky_solve(tf.linalg.cholesky(m), x),
    raises("InvalidArgumentError", lambda tf, m, v: tf.linalg.cholesky_solve(m, v)),
    raises("InvalidArgumentError", lambda tf, m: tf.linalg.cholesky_solve(m, tf.cast(m, tf.float64))),
    lambda tf, x: tf.linalg.tridiagonal_solve(tf.constant([[1.0, 2.0, 9.0], [4.0, 5.0, 6.0], [7.0, 1.0, 2.0]]), x[0]),
    lambda tf, x: tf.linalg.tridiagonal_solve(
        tf.constant([[1.0, 2.0, 9.0], [4.0, 5.0, 6.0], [7.0, 1.0, 2.0]]), tf.transpose(x)
    ),
    lambda tf, x: tf.linalg.tridiagonal_solve(
        tf.constant([[1.0, 2.0, 9.0], [4.0, 5.0, 6.0], [7.0, 1.0, 2.0]]), x, transpose_rhs=True
    ),
    lambda tf, x: tf.linalg.tridiagonal_solve(
        [tf.constant([1.0, 2.0]), tf.constant([4.0, 5.0, 6.0]), tf.constant([1.0, 2.0])],
        x[0],
        diagonals_format="sequence",
    ),  # noqa: E501
    lambda tf, x: tf.linalg.tridiagonal_solve(
        tf.constant([[4.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]]), x[0], diagonals_format="matrix"
    ),
    lambda tf, x: tf.linalg.tridiagonal_solve(
        tf.constant([[0.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]]), x[0], diagonals_format="matrix"
    ),
    raises(ValueError, lambda tf, m, v: tf.linalg.tridiagonal_solve(m, v, diagonals_format="foo")),
    raises(ValueError, lambda tf, m, v: tf.linalg.tridiagonal_solve(m, v)),
    lambda tf, x: tf.linalg.tridiagonal_matmul(
        tf.constant([[1.0, 2.0, 9.0], [4.0, 5.0, 6.0], [7.0, 1.0, 2.0]]), tf.transpose(x)
    ),
    lambda tf, x: tf.linalg.tridiagonal_matmul(
        tf.constant([[4.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]]), tf.transpose(x), diagonals_format="matrix"
    ),  # noqa: E501
    lambda tf, x: tf.linalg.banded_triangular_solve([[2.0, 3.0, 4.0], [9.0, 1.0, 5.0]], tf.transpose(x)),
    lambda tf, x: tf.linalg.banded_triangular_solve([[1.0, 5.0, 9.0], [2.0, 3.0, 4.0]], tf.transpose(x), lower=False),
    lambda tf, x: tf.linalg.banded_triangular_solve([[2.0, 3.0, 4.0], [9.0, 1.0, 5.0]], tf.transpose(x), adjoint=True),
    lambda tf: tf.linalg.cross([1.0, 2.0, 3.0], [1.0, 0.0, 1.0]),
    lambda tf: tf.linalg.cross([1, 2, 3], [1, 0, 1]),
    raises("FailedPreconditionError", lambda tf, v: tf.linalg.cross(v, v)),
    raises("InvalidArgumentError", lambda tf: tf.linalg.cross([[1.0, 2.0, 3.0]], [1.0, 0.0, 1.0])),
    lambda tf, x: tf.linalg.cross(x, x + 1),
    lambda tf, v: tf.linalg.normalize(v),
    lambda tf, x: tf.linalg.normalize(x, axis=1),
    lambda tf, x: tf.linalg.normalize(x, ord=1, axis=[0, 1]),
    lambda tf, c: tf.linalg.normalize(c),
    raises("InvalidArgumentError", lambda tf, ti: tf.linalg.normalize(ti)),
    lambda tf, v: tf.linalg.normalize(v * 0),
    lambda tf: tf.linalg.inv([[2.0, 1.0], [4.0, 3.0]]),
    lambda tf, x, m: tf.linalg.solve(tf.stack([m, m]), tf.stack([x, x])),
]

rng = np.random.RandomState(0)
SQUARE = rng.randn(3, 3) + 2 * np.eye(3)
DEFINITE = SQUARE @ SQUARE.T
TALL, WIDE, SIDE = rng.randn(4, 2), rng.randn(2, 4), rng.randn(3, 2)
COMPLEX = rng.randn(3, 3) + 1j * rng.randn(3, 3)
BATCH = np.stack([SQUARE, DEFINITE])


def weighed(tf, v):
    """Of vectors in columns something that their signs do not change."""
    return tf.matmul(v * np.arange(1.0, v.shape[-1] + 1), v, adjoint_b=True)


CASES = [
    Case("svd values", lambda tf, x: tf.linalg.svd(x, compute_uv=False), [TALL]),
    Case("svd values wide", lambda tf, x: tf.linalg.svd(x, compute_uv=False), [WIDE]),
    Case("svd values of svd", lambda tf, x: tf.linalg.svd(x)[0], [BATCH]),
    Case("svd u", lambda tf, x: weighed(tf, tf.linalg.svd(x)[1]), [TALL]),
    Case("svd v", lambda tf, x: weighed(tf, tf.linalg.svd(x)[2]), [TALL]),
    Case("svd v wide", lambda tf, x: weighed(tf, tf.linalg.svd(x)[2]), [WIDE]),
    Case(
        "svd uv",
        lambda tf, x: (lambda s, u, v: tf.matmul(u * tf.sqrt(s)[None], v, adjoint_b=True))(*tf.linalg.svd(x)),
        [SQUARE],
    ),
    Case("svd full", lambda tf, x: tf.linalg.svd(x, full_matrices=True)[1][:, :2] ** 2, [SIDE]),
    Case("svd full rest", lambda tf, x: tf.linalg.svd(x, full_matrices=True)[1][:, 2] ** 2, [SIDE]),
    Case("svd complex", lambda tf, x: tf.linalg.svd(x)[0], [COMPLEX], 1),
    Case("svd complex u", lambda tf, x: tf.abs(tf.linalg.svd(x)[1]), [COMPLEX], 1),
    Case("eigh values", lambda tf, x: tf.linalg.eigh(x)[0], [DEFINITE]),
    Case("eigh", lambda tf, x: weighed(tf, tf.linalg.eigh(x)[1]), [DEFINITE]),
    Case("eigh batch", lambda tf, x: tf.linalg.eigh(x)[1] ** 2, [BATCH]),
    Case("eigvalsh", lambda tf, x: tf.linalg.eigvalsh(x), [SQUARE]),
    Case("eigh complex", lambda tf, x: tf.math.real(tf.linalg.eigh(x)[0]), [COMPLEX], 1),
    Case("eigh complex v", lambda tf, x: tf.abs(tf.linalg.eigh(x)[1]), [COMPLEX], 1),
    Case("eigvals", lambda tf, x: tf.reduce_sum(tf.linalg.eigvals(x) ** 3), [SQUARE]),
    Case("eig", lambda tf, x: tf.reduce_sum(tf.abs(tf.linalg.eig(x)[1]) ** 3), [SQUARE]),
    Case("eig complex", lambda tf, x: tf.reduce_sum(tf.abs(tf.linalg.eig(x)[1]) ** 3), [COMPLEX], 1),
    Case("eig complex e", lambda tf, x: tf.reduce_sum(tf.linalg.eig(x)[0] ** 3), [COMPLEX], 1),
    Case("qr r", lambda tf, x: tf.linalg.qr(x).r, [TALL]),
    Case("qr q", lambda tf, x: tf.linalg.qr(x).q, [TALL]),
    Case("qr wide", lambda tf, x: tf.matmul(tf.linalg.qr(x).q, tf.linalg.qr(x).r ** 2), [WIDE]),
    Case("qr square", lambda tf, x: tf.linalg.qr(x, full_matrices=True).q, [SQUARE]),
    Case("qr complex", lambda tf, x: tf.linalg.qr(x).r, [COMPLEX], 1),
    Case("qr complex q", lambda tf, x: tf.abs(tf.linalg.qr(x).q), [COMPLEX], 1),
    Case("logdet", lambda tf, x: tf.linalg.logdet(x), [DEFINITE]),
    Case("slogdet", lambda tf, x: tf.linalg.slogdet(x)[1], [BATCH]),
    Case("slogdet sign", lambda tf, x: tf.linalg.slogdet(x)[0], [SQUARE]),
    Case("det", lambda tf, x: tf.linalg.det(x), [BATCH]),
    Case("cholesky", lambda tf, x: tf.linalg.cholesky(x), [DEFINITE]),
    Case("cholesky complex", lambda tf, x: tf.linalg.cholesky(x), [COMPLEX @ COMPLEX.conj().T], 1),
    Case("expm", lambda tf, x: tf.linalg.expm(x), [SQUARE]),
    Case("expm big", lambda tf, x: tf.linalg.expm(x), [4 * SQUARE]),
    Case("sqrtm", lambda tf, x: tf.linalg.sqrtm(x), [DEFINITE]),
    Case("sqrtm batch", lambda tf, x: tf.linalg.sqrtm(x), [np.stack([DEFINITE, 2 * DEFINITE])], 1),
    Case("inv", lambda tf, x: tf.linalg.inv(x), [BATCH]),
    Case("inv adj", lambda tf, x: tf.linalg.inv(x, adjoint=True), [COMPLEX]),
    Case("solve", lambda tf, x, y: tf.linalg.solve(x, y), [SQUARE, SIDE]),
    Case("solve adj", lambda tf, x, y: tf.linalg.solve(x, y, adjoint=True), [SQUARE, SIDE]),
    Case("triangular", lambda tf, x, y: tf.linalg.triangular_solve(x, y, lower=False, adjoint=True), [SQUARE, SIDE]),
    Case("cholesky_solve", lambda tf, x, y: tf.linalg.cholesky_solve(x, y), [SQUARE, SIDE]),
    Case("lstsq", lambda tf, x, y: tf.linalg.lstsq(x, y, l2_regularizer=0.3), [TALL, np.ones((4, 1))]),
    Case("lstsq wide", lambda tf, x, y: tf.linalg.lstsq(x, y), [WIDE, np.ones((2, 1))]),
    Case("pinv", lambda tf, x: tf.linalg.pinv(x), [TALL]),
    Case("pinv wide", lambda tf, x: tf.linalg.pinv(x), [WIDE]),
    Case("normalize", lambda tf, x: tf.linalg.normalize(x, axis=1)[0], [TALL]),
    Case("cross", lambda tf, x, y: tf.linalg.cross(x, y), [SQUARE, DEFINITE]),
    Case("lu_solve", lambda tf, x, y: tf.linalg.lu_solve(x, [1, 0, 2], y), [SQUARE, SIDE]),
    Case("lu_reconstruct", lambda tf, x: tf.linalg.lu_reconstruct(x, [1, 0, 2]), [SQUARE]),
    Case("tri", lambda tf, x, y: tf.linalg.tridiagonal_solve(x, y), [SQUARE, SIDE], 1),
    Case("trim", lambda tf, x, y: tf.linalg.tridiagonal_matmul(x, y), [SQUARE, SIDE], 1),
    Case("banded", lambda tf, x, y: tf.linalg.banded_triangular_solve(x, y), [SQUARE, SIDE], 1),
    Case("trace", lambda tf, x: tf.linalg.trace(x), [SQUARE]),
    Case("norm nuclear-like", lambda tf, x: tf.norm(x, 2, axis=[0, 1]), [TALL]),
]

test_as_tensorflow = harness.test_of(ROWS)


# Not op by op: that compiles each of some hundred parts of these derivatives by itself, and takes minutes.
test_values_and_derivatives = test_of(CASES, ["recorded", "jit"])


def test_singular_matrices_give_no_error_but_no_number():
    assert not np.isfinite(tapejax.linalg.inv([[0.0]]).numpy()).any()


def test_clipping_is_one_op():
    gradients = [tapejax.constant([3.0]), None, tapejax.constant([[4.0]])]
    tapejax.sync()
    before = tapejax.explain().ops_recorded
    clipped, length = tapejax.clip_by_global_norm(gradients, 1.0)
    float(length)
    assert tapejax.explain().ops_recorded == before + 1 and clipped[1] is None


@pytest.mark.parametrize(
    "call",
    [
        raises("InvalidArgumentError", lambda tf: tf.linalg.inv([[1.0, 2.0], [2.0, 4.0]])),
        raises("InvalidArgumentError", lambda tf: tf.linalg.solve([[1.0, 2.0], [2.0, 4.0]], [[1.0], [1.0]])),
        raises("InvalidArgumentError", lambda tf: tf.linalg.lu([[1.0, 2.0], [2.0, 4.0]])),
    ],
)
def test_singular_matrices_raise_in_op_by_op_mode(tf, call):
    tapejax.config.eager = True
    check_error(tf, call, ["recorded"])


def test_gradients_at_coinciding_singular_values_are_finite(tf):
    def slope(module):
        x = module.constant(np.eye(2))
        with module.GradientTape() as tape:
            tape.watch(x)
            s, u, v = module.linalg.svd(x)
            y = module.reduce_sum(module.matmul(u * s, v, transpose_b=True) ** 2)
        return tape.gradient(y, x).numpy()

    np.testing.assert_allclose(slope(tapejax), slope(tf))


def test_full_factors_of_tall_matrices_have_gradients():
    """TensorFlow raises NotImplementedError; the projector on the rest is 1 - q1 q1^H however it is computed."""

    def slope(call):
        x = tapejax.constant(TALL)
        with tapejax.GradientTape() as tape:
            tape.watch(x)
            y = tapejax.reduce_sum(weighed(tapejax, call(x)))
        return tape.gradient(y, x).numpy()

    def rest(q):
        return tapejax.matmul(q[:, 2:], q[:, 2:], transpose_b=True)

    def thin(q):
        return np.eye(4) - tapejax.matmul(q, q, transpose_b=True)

    want = slope(lambda x: thin(tapejax.linalg.qr(x).q))
    assert np.abs(want).max() > 0.1
    np.testing.assert_allclose(slope(lambda x: rest(tapejax.linalg.qr(x, full_matrices=True).q)), want, atol=1e-12)
    np.testing.assert_allclose(slope(lambda x: rest(tapejax.linalg.svd(x, full_matrices=True)[1])), want, atol=1e-12)

"""Linear algebra and clipping by norm against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
import pytest
from support import expressions
from support.parity import Case, check_error, test_of

import tapejax

ROWS = [
    "tf.matmul(m,m,transpose_a=True,transpose_b=True)",
    "tf.matmul(m,v)",
    "tf.matmul(m,x,transpose_b=True)",
    "tf.matmul(x,x)",
    "tf.matmul(ti,ti)",
    "tf.matmul(ti,m)",
    "tf.matmul(m,m,transpose_a=True,adjoint_a=True)",
    "tf.matmul(c,c,adjoint_a=True)",
    "tf.matmul(tf.zeros([5,1,2,3]),tf.zeros([4,3,2])).shape",
    "tf.matmul(tf.zeros([5,2,3]),tf.zeros([4,3,2])).shape",
    "tf.matmul(tf.constant([[1,2]],tf.int8),tf.constant([[1],[2]],tf.int8),output_type=tf.int32)",
    "tf.matmul(tf.cast(m,tf.bfloat16),tf.cast(m,tf.bfloat16))",
    "tf.matmul([[1.,2.]],[[1],[2]])",
    "tf.linalg.matvec(m,v)",
    "tf.linalg.matvec(m,m)",
    "tf.linalg.matvec(m,v,transpose_a=True)",
    "tf.linalg.diag(v)",
    "tf.linalg.diag(v,k=1)",
    "tf.linalg.diag([[1,2],[3,4]],k=(0,1),num_rows=3,num_cols=3)",
    "tf.linalg.diag([[1,2,0],[3,4,5]],k=(-1,0))",
    "tf.linalg.diag(v,num_rows=3,padding_value=7)",
    "tf.linalg.diag_part(x)",
    "tf.linalg.diag_part(x,k=1)",
    "tf.linalg.diag_part(x,k=(-1,1))",
    "tf.linalg.diag_part(x,k=(-1,1),align='LEFT_LEFT',padding_value=9)",
    "tf.linalg.diag_part(x,k=5)",
    "tf.linalg.set_diag(x,[9.,8.])",
    "tf.linalg.set_diag(x,[9.,8.],k=1)",
    "tf.linalg.set_diag(x,[9.,8.,1.])",
    "tf.linalg.tensor_diag(v)",
    "tf.linalg.tensor_diag_part(m)",
    "tf.linalg.band_part(x,0,-1)",
    "tf.linalg.band_part(x,5,0)",
    "tf.linalg.band_part(v,0,0)",
    "tf.linalg.trace(x)",
    "tf.linalg.trace(v)",
    "tf.linalg.matrix_transpose(x)",
    "tf.linalg.matrix_transpose(v)",
    "tf.linalg.matrix_transpose(c,conjugate=True)",
    "tf.tensordot(x,x,[[1],[1]])",
    "tf.tensordot(x,x,1)",
    "tf.tensordot(x,x,2)",
    "tf.tensordot(x,v,[[0],[0]])",
    "tf.tensordot(x,x,[0,0])",
    "tf.tensordot(x,m,0).shape",
    "tf.tensordot(ti,m,1)",
    "tf.tensordot(x,x,-1)",
    "tf.einsum('ij,jk->ik',m,m)",
    "tf.einsum('ij,kj',x,x)",
    "tf.einsum('ii',m)",
    "tf.einsum('...ij,...jk->...ik',tf.zeros([4,2,3]),tf.zeros([3,5])).shape",
    "tf.einsum('ij,jk->ik',x,x)",
    "tf.einsum('ij->i',ti)",
    "tf.einsum('ij,jk->ik',m,ti)",
    "tf.einsum('ij->k',m)",
    "tf.einsum('ijk->i',m)",
    "tf.einsum('ij,jk->ik',m)",
    "tf.einsum('ij , jk -> ik',m,m)",
    "tf.einsum('i,i->',v,v)",
    # Several axes at once, merged where they are in order; values and gradients.
    *(
        f"g(lambda a,w:tf.einsum('{e}',a,w)**2,np.arange(24.).reshape(2,3,4),{w})"
        for e, w in [
            ("btd,df->btf", "np.arange(8.).reshape(4,2)"),
            ("btd,df->fbt", "np.arange(8.).reshape(4,2)"),
            ("btd,dhc->bthc", "np.arange(24.).reshape(4,2,3)"),
            ("btd,tdf->bf", "np.arange(24.).reshape(3,4,2)"),
            ("btd,dtf->bf", "np.arange(24.).reshape(4,3,2)"),
            ("btd,btf->bdf", "np.arange(12.).reshape(2,3,2)"),
            ("btd,bdfg->btfg", "np.arange(48.).reshape(2,4,2,3)"),
            ("dbt,btf->df", "np.arange(24.).reshape(3,4,2)"),
            ("btd,fb->ftd", "np.arange(6.).reshape(3,2)"),
            ("btd,btd->", "np.ones((2,3,4))"),
            ("btd,bt->d", "np.ones((2,3))"),
            ("btd,tb->d", "np.ones((3,2))"),
            ("btd,df->f", "np.ones((4,5))"),
            ("btd,tdf->bf", "np.ones((4,3,2))"),
        ]
    ),
    "tf.einsum('btd,df->btf',x,m)",
    "g(lambda a,w:(a@w)**2,np.arange(24.).reshape(2,3,4),np.arange(8.).reshape(4,2))",
    "g(lambda a,w:tf.matmul(a,w,transpose_b=True)**2,np.arange(24.).reshape(2,3,4),np.arange(8.).reshape(2,4))",
    "g(lambda a,w:tf.tensordot(a,w,1)**2,np.arange(24.).reshape(2,3,4),np.arange(24.).reshape(4,2,3))",
    "g(lambda a,w:tf.tensordot(a,w,2)**2,np.arange(24.).reshape(2,3,4),np.arange(24.).reshape(3,4,2))",
    "g(lambda a,w:tf.tensordot(a,w,[[2,1],[0,-2]])**2,np.arange(24.).reshape(2,3,4),np.arange(24.).reshape(4,3,2))",
    "tf.norm(x)",
    "tf.norm(x,axis=1)",
    "tf.norm(x,ord=1,axis=1)",
    "tf.norm(x,ord=1)",
    "tf.norm(x,ord=np.inf,axis=[0,1])",
    "tf.norm(x,ord=1,axis=[0,1])",
    "tf.norm(x,ord='fro',axis=[0,1],keepdims=True)",
    "tf.norm(x,ord='fro')",
    "tf.norm(x,ord='fro',axis=1)",
    "tf.norm(x,ord='foo')",
    "tf.norm(x,ord=3)",
    "tf.norm(x,ord=2,axis=[0,1])",
    "tf.norm(x,ord=-1)",
    "tf.norm(x,axis=[0,1,2])",
    "tf.norm(c)",
    "tf.norm(ti)",
    "tf.norm(x,ord=np.inf)",
    "tf.norm(x,ord=0.5)",
    "tf.norm([3,4.])",
    "tf.linalg.cholesky(m)",
    "tf.linalg.cholesky([[2.,5.],[1.,3.]])",
    "tf.linalg.cholesky(x)",
    "tf.linalg.det(m)",
    "tf.linalg.det(x)",
    "tf.linalg.inv(m)",
    "tf.linalg.inv(m,adjoint=True)",
    "tf.linalg.inv(c,adjoint=True)",
    "tf.linalg.inv(ti)",
    "tf.linalg.solve(m,v)",
    "tf.linalg.solve(m,v[:,None])",
    "tf.linalg.solve(m,m,adjoint=True)",
    "tf.linalg.solve(m,tf.zeros([3,1]))",
    "tf.linalg.triangular_solve(m,v[:,None])",
    "tf.linalg.triangular_solve(m,v[:,None],lower=False,adjoint=True)",
    "tf.linalg.triangular_solve(m,v)",
    "tf.linalg.triangular_solve(m,tf.zeros([3,2,1])).shape",
    "tf.linalg.solve(m,tf.zeros([3,2,1])).shape",
    "tf.linalg.global_norm([v,None,m])",
    "tf.linalg.global_norm([])",
    "tf.linalg.global_norm([None])",
    "tf.linalg.global_norm(v)",
    "tf.clip_by_norm(v,1.)",
    "tf.clip_by_norm(v,10.)",
    "tf.clip_by_norm(v*0,1.)",
    "tf.clip_by_norm(m,1.,axes=[1])",
    "tf.clip_by_norm(m,1)",
    "tf.clip_by_norm(ti,1)",
    "tf.clip_by_norm(m,-1.)",
    "tf.clip_by_norm(m,v[:,None])",
    "tf.clip_by_global_norm([v,None,m],1.)",
    "tf.clip_by_global_norm([v,None,m],100.)",
    "tf.clip_by_global_norm((v,),1.)",
    "tf.clip_by_global_norm(v,1.)",
    "tf.clip_by_global_norm([v/0],1.)",
    "tf.clip_by_global_norm([v,tf.cast(m,tf.float64)],1.)",
    "tf.clip_by_global_norm([],1.)",
    "tf.clip_by_global_norm([v*0],1.)",
    "tf.clip_by_global_norm([v],0.)",
    "tf.clip_by_global_norm([v],-1.)",
    "g(tf.linalg.cholesky,[[2.,1.],[1.,3.]])",
    "g(tf.linalg.det,[[2.,1.],[1.,3.]])",
    "g(tf.linalg.inv,[[2.,1.],[0.5,3.]])",
    "g(lambda a,b:tf.linalg.triangular_solve(a,b),[[2.,1.],[0.5,3.]],[[1.],[2.]])",
    "g(lambda a:tf.norm(a,axis=1),[[0.,0.],[3.,4.]])",
    "g(lambda a:tf.norm(a,axis=1)[1],[[0.,0.],[3.,4.]])",
    "g(lambda a:tf.norm(a,ord=1,axis=1),[[0.,0.],[3.,4.]])",
    "g(lambda a:tf.norm(a,ord=np.inf,axis=1),[[1.,1.],[3.,4.]])",
    "g(lambda a:tf.norm(a,ord=3,axis=1),[[0.,1.],[3.,4.]])",
    "g(lambda a:tf.clip_by_norm(a,1.),[3.,4.])",
    "g(lambda a:tf.clip_by_norm(a,1.),[0.,0.])",
    "g(lambda a:tf.clip_by_norm(a,5.),[3.,4.])",
    "g(lambda a,n:tf.clip_by_norm(a,n),[3.,4.],5.)",
    "g(lambda a:tf.clip_by_global_norm([a],1.)[0],[3.,4.])",
    "g(lambda a:tf.clip_by_global_norm([a],5.)[0],[3.,4.])",
    "g(lambda a:tf.clip_by_global_norm([a],9.)[0],[3.,4.])",
    "g(lambda a:tf.linalg.global_norm([a]),[3.,4.])",
    "g(lambda a:tf.linalg.global_norm([a]),[0.,0.])",
    "g(lambda a,b:tf.matmul(a,b,transpose_b=True),[[1.,2.]],[[3.,4.]])",
    "g(lambda a:tf.einsum('ij,ij->i',a,a),[[3.,4.]])",
    "g(lambda a:tf.linalg.diag_part(a,k=1),[[3.,4.],[5.,6.]])",
    "tf.linalg.svd(x,compute_uv=False)",
    "tf.linalg.svd(v)",
    "tf.linalg.svd(ti)",
    "tf.abs(tf.linalg.svd(m)[1])",
    "tf.abs(tf.linalg.svd(x)[2])",
    "tf.linalg.svd(x,full_matrices=True)[2].shape",
    "tf.linalg.svd(c,compute_uv=False)",
    "tf.linalg.svd(tf.ones([0,3]))[1].shape",
    "tf.linalg.eigh(m)[0]",
    "tf.linalg.eigh([[2.,5.],[1.,3.]])[0]",
    "tf.abs(tf.linalg.eigh(m)[1])",
    "tf.linalg.eigh(x)",
    "tf.linalg.eigvalsh(m)",
    "tf.linalg.eigvalsh(c)",
    "tf.linalg.eigh(c)[0]",
    "tf.linalg.eigvals(m)",
    "tf.eigvals(c)",
    "tf.eig(m)[0]",
    "tf.abs(tf.linalg.eig(m)[1])",
    "tf.linalg.eig(x)",
    "tf.linalg.qr(m)",
    "tf.linalg.qr(x)",
    "tf.linalg.qr(tf.transpose(x),full_matrices=True).r",
    "tf.abs(tf.linalg.qr(tf.transpose(x),full_matrices=True).q)",
    "tf.linalg.qr(c).r",
    "tf.linalg.qr(v)",
    "tf.linalg.qr(x,full_matrices=True)",
    "tf.linalg.lu(m)",
    "tf.linalg.lu([[0.,2.],[1.,3.]],output_idx_type=tf.int64)",
    "tf.linalg.lu(x)",
    "tf.linalg.lu_reconstruct(*tf.linalg.lu([[0.,2.],[1.,3.]]))",
    "tf.linalg.lu_matrix_inverse(*tf.linalg.lu([[0.,2.],[1.,3.]]))",
    "tf.linalg.lu_solve(*tf.linalg.lu([[0.,2.],[1.,3.]]),rhs=x)",
    "tf.linalg.lu_solve(*tf.linalg.lu(tf.stack([m,m[::-1]])),rhs=x)",
    "tf.linalg.slogdet(-m)",
    "tf.linalg.slogdet(tf.zeros([2,2]))[1]",
    "tf.linalg.slogdet(c)",
    "tf.linalg.slogdet(x)",
    "tf.linalg.slogdet(ti)",
    "tf.linalg.logdet(m)",
    "tf.linalg.logdet(-m)",
    "tf.linalg.logdet(tf.stack([m,2*m]))",
    "tf.linalg.logdet(tf.cast(m,tf.complex64))",
    "tf.linalg.cholesky(-m)",
    "tf.linalg.cholesky(ti)",
    "tf.linalg.expm(m)",
    "tf.linalg.expm(tf.stack([m,-9*m]))",
    "tf.linalg.expm(c)",
    "tf.linalg.expm(x)",
    "tf.linalg.expm(tf.cast(m,tf.float64)*3)",
    "tf.linalg.sqrtm(m)",
    "tf.linalg.sqrtm(-m)",
    "tf.linalg.sqrtm([[1.,2.],[2.,4.]])",
    "tf.linalg.sqrtm(c)",
    "tf.linalg.sqrtm(x)",
    "tf.linalg.sqrtm([[0.,1.],[-1.,0.]])",
    "tf.linalg.sqrtm(tf.stack([m,2*m]))",
    "tf.linalg.logm(m)",
    "tf.linalg.logm(tf.cast(m,tf.complex64))",
    "tf.linalg.logm(c)",
    "tf.linalg.matrix_rank(m)",
    "tf.linalg.matrix_rank([[1.,2.],[2.,4.]])",
    "tf.linalg.matrix_rank(m,tol=2.)",
    "tf.linalg.matrix_rank(ti)",
    "tf.linalg.matrix_rank(tf.stack([m,m*0]),tol=[1.,1.])",
    "tf.linalg.pinv(m)",
    "tf.linalg.pinv(x)",
    "tf.linalg.pinv([[1.,2.],[2.,4.]])",
    "tf.linalg.pinv(x,rcond=.5)",
    "tf.linalg.pinv(ti)",
    "tf.linalg.pinv(v)",
    "tf.linalg.pinv(c)",
    "tf.linalg.lstsq(m,x)",
    "tf.linalg.lstsq(tf.transpose(x),tf.ones([3,1]))",
    "tf.linalg.lstsq(x,m)",
    "tf.linalg.lstsq(x,m,l2_regularizer=.5)",
    "tf.linalg.lstsq(tf.transpose(x),tf.ones([3,2]),l2_regularizer=.5)",
    "tf.linalg.lstsq(x,m,fast=False)",
    "tf.linalg.lstsq(x,v)",
    "tf.linalg.lstsq(c,c)",
    "tf.linalg.lstsq(m,tf.ones([3,1]))",
    "tf.linalg.cholesky_solve(tf.linalg.cholesky(m),x)",
    "tf.linalg.cholesky_solve(m,v)",
    "tf.linalg.cholesky_solve(m,tf.cast(m,tf.float64))",
    "tf.linalg.tridiagonal_solve(tf.constant([[1.,2.,9.],[4.,5.,6.],[7.,1.,2.]]),x[0])",
    "tf.linalg.tridiagonal_solve(tf.constant([[1.,2.,9.],[4.,5.,6.],[7.,1.,2.]]),tf.transpose(x))",
    "tf.linalg.tridiagonal_solve(tf.constant([[1.,2.,9.],[4.,5.,6.],[7.,1.,2.]]),x,transpose_rhs=True)",
    "tf.linalg.tridiagonal_solve([tf.constant([1.,2.]),tf.constant([4.,5.,6.]),tf.constant([1.,2.])],x[0],diagonals_format='sequence')",  # noqa: E501
    "tf.linalg.tridiagonal_solve(tf.constant([[4.,1.,0.],[2.,5.,1.],[0.,1.,3.]]),x[0],diagonals_format='matrix')",
    "tf.linalg.tridiagonal_solve(tf.constant([[0.,1.,0.],[2.,5.,1.],[0.,1.,3.]]),x[0],diagonals_format='matrix')",
    "tf.linalg.tridiagonal_solve(m,v,diagonals_format='foo')",
    "tf.linalg.tridiagonal_solve(m,v)",
    "tf.linalg.tridiagonal_matmul(tf.constant([[1.,2.,9.],[4.,5.,6.],[7.,1.,2.]]),tf.transpose(x))",
    "tf.linalg.tridiagonal_matmul(tf.constant([[4.,1.,0.],[2.,5.,1.],[0.,1.,3.]]),tf.transpose(x),diagonals_format='matrix')",  # noqa: E501
    "tf.linalg.banded_triangular_solve([[2.,3.,4.],[9.,1.,5.]],tf.transpose(x))",
    "tf.linalg.banded_triangular_solve([[1.,5.,9.],[2.,3.,4.]],tf.transpose(x),lower=False)",
    "tf.linalg.banded_triangular_solve([[2.,3.,4.],[9.,1.,5.]],tf.transpose(x),adjoint=True)",
    "tf.linalg.cross([1.,2.,3.],[1.,0.,1.])",
    "tf.linalg.cross([1,2,3],[1,0,1])",
    "tf.linalg.cross(v,v)",
    "tf.linalg.cross([[1.,2.,3.]],[1.,0.,1.])",
    "tf.linalg.cross(x,x+1)",
    "tf.linalg.normalize(v)",
    "tf.linalg.normalize(x,axis=1)",
    "tf.linalg.normalize(x,ord=1,axis=[0,1])",
    "tf.linalg.normalize(c)",
    "tf.linalg.normalize(ti)",
    "tf.linalg.normalize(v*0)",
    "tf.linalg.inv([[2.,1.],[4.,3.]])",
    "tf.linalg.solve(tf.stack([m,m]),tf.stack([x,x]))",
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

test_as_tensorflow = expressions.test_of(ROWS)


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
        lambda tf: tf.linalg.inv([[1.0, 2.0], [2.0, 4.0]]),
        lambda tf: tf.linalg.solve([[1.0, 2.0], [2.0, 4.0]], [[1.0], [1.0]]),
        lambda tf: tf.linalg.lu([[1.0, 2.0], [2.0, 4.0]]),
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

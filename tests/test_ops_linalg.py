"""Linear algebra and clipping by norm against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
import pytest
from expressions import compare, evaluate

import tapejax

ROWS = [
    '"tf.matmul(m,m,transpose_a=True,transpose_b=True)',
    'tf.matmul(m,v)',
    'tf.matmul(m,x,transpose_b=True)',
    'tf.matmul(x,x)',
    'tf.matmul(ti,ti)',
    'tf.matmul(ti,m)',
    'tf.matmul(m,m,transpose_a=True,adjoint_a=True)',
    'tf.matmul(c,c,adjoint_a=True)',
    'tf.matmul(tf.zeros([5,1,2,3]),tf.zeros([4,3,2])).shape',
    'tf.matmul(tf.zeros([5,2,3]),tf.zeros([4,3,2])).shape',
    'tf.matmul(tf.constant([[1,2]],tf.int8),tf.constant([[1],[2]],tf.int8),output_type=tf.int32)',
    'tf.matmul(tf.cast(m,tf.bfloat16),tf.cast(m,tf.bfloat16))',
    'tf.matmul([[1.,2.]],[[1],[2]])',
    'tf.linalg.matvec(m,v)',
    'tf.linalg.matvec(m,m)',
    'tf.linalg.matvec(m,v,transpose_a=True)',
    'tf.linalg.diag(v)',
    'tf.linalg.diag(v,k=1)',
    'tf.linalg.diag([[1,2],[3,4]],k=(0,1),num_rows=3,num_cols=3)',
    'tf.linalg.diag([[1,2,0],[3,4,5]],k=(-1,0))',
    'tf.linalg.diag(v,num_rows=3,padding_value=7)',
    'tf.linalg.diag_part(x)',
    'tf.linalg.diag_part(x,k=1)',
    'tf.linalg.diag_part(x,k=(-1,1))',
    "tf.linalg.diag_part(x,k=(-1,1),align='LEFT_LEFT',padding_value=9)",
    'tf.linalg.diag_part(x,k=5)',
    'tf.linalg.set_diag(x,[9.,8.])',
    'tf.linalg.set_diag(x,[9.,8.],k=1)',
    'tf.linalg.set_diag(x,[9.,8.,1.])',
    'tf.linalg.tensor_diag(v)',
    'tf.linalg.tensor_diag_part(m)',
    'tf.linalg.band_part(x,0,-1)',
    'tf.linalg.band_part(x,5,0)',
    'tf.linalg.band_part(v,0,0)',
    'tf.linalg.trace(x)',
    'tf.linalg.trace(v)',
    'tf.linalg.matrix_transpose(x)',
    'tf.linalg.matrix_transpose(v)',
    'tf.linalg.matrix_transpose(c,conjugate=True)',
    'tf.tensordot(x,x,[[1],[1]])',
    'tf.tensordot(x,x,1)',
    'tf.tensordot(x,x,2)',
    'tf.tensordot(x,v,[[0],[0]])',
    'tf.tensordot(x,x,[0,0])',
    'tf.tensordot(x,m,0).shape',
    'tf.tensordot(ti,m,1)',
    'tf.tensordot(x,x,-1)',
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
    'tf.norm(x)',
    'tf.norm(x,axis=1)',
    'tf.norm(x,ord=1,axis=1)',
    'tf.norm(x,ord=1)',
    'tf.norm(x,ord=np.inf,axis=[0,1])',
    'tf.norm(x,ord=1,axis=[0,1])',
    "tf.norm(x,ord='fro',axis=[0,1],keepdims=True)",
    "tf.norm(x,ord='fro')",
    "tf.norm(x,ord='fro',axis=1)",
    "tf.norm(x,ord='foo')",
    'tf.norm(x,ord=3)',
    'tf.norm(x,ord=2,axis=[0,1])',
    'tf.norm(x,ord=-1)',
    'tf.norm(x,axis=[0,1,2])',
    'tf.norm(c)',
    'tf.norm(ti)',
    'tf.norm(x,ord=np.inf)',
    'tf.norm(x,ord=0.5)',
    'tf.norm([3,4.])',
    'tf.linalg.cholesky(m)',
    'tf.linalg.cholesky([[2.,5.],[1.,3.]])',
    'tf.linalg.cholesky(x)',
    'tf.linalg.det(m)',
    'tf.linalg.det(x)',
    'tf.linalg.inv(m)',
    'tf.linalg.inv(m,adjoint=True)',
    'tf.linalg.inv(c,adjoint=True)',
    'tf.linalg.inv(ti)',
    'tf.linalg.solve(m,v)',
    'tf.linalg.solve(m,v[:,None])',
    'tf.linalg.solve(m,m,adjoint=True)',
    'tf.linalg.solve(m,tf.zeros([3,1]))',
    'tf.linalg.triangular_solve(m,v[:,None])',
    'tf.linalg.triangular_solve(m,v[:,None],lower=False,adjoint=True)',
    'tf.linalg.triangular_solve(m,v)',
    'tf.linalg.triangular_solve(m,tf.zeros([3,2,1])).shape',
    'tf.linalg.solve(m,tf.zeros([3,2,1])).shape',
    'tf.linalg.global_norm([v,None,m])',
    'tf.linalg.global_norm([])',
    'tf.linalg.global_norm([None])',
    'tf.linalg.global_norm(v)',
    'tf.clip_by_norm(v,1.)',
    'tf.clip_by_norm(v,10.)',
    'tf.clip_by_norm(v*0,1.)',
    'tf.clip_by_norm(m,1.,axes=[1])',
    'tf.clip_by_norm(m,1)',
    'tf.clip_by_norm(ti,1)',
    'tf.clip_by_norm(m,-1.)',
    'tf.clip_by_norm(m,v[:,None])',
    'tf.clip_by_global_norm([v,None,m],1.)',
    'tf.clip_by_global_norm([v,None,m],100.)',
    'tf.clip_by_global_norm((v,),1.)',
    'tf.clip_by_global_norm(v,1.)',
    'tf.clip_by_global_norm([v/0],1.)',
    'tf.clip_by_global_norm([v,tf.cast(m,tf.float64)],1.)',
    'tf.clip_by_global_norm([],1.)',
    'tf.clip_by_global_norm([v*0],1.)',
    'tf.clip_by_global_norm([v],0.)',
    'tf.clip_by_global_norm([v],-1.)',
    'g(tf.linalg.cholesky,[[2.,1.],[1.,3.]])',
    'g(tf.linalg.det,[[2.,1.],[1.,3.]])',
    'g(tf.linalg.inv,[[2.,1.],[0.5,3.]])',
    'g(lambda a,b:tf.linalg.triangular_solve(a,b),[[2.,1.],[0.5,3.]],[[1.],[2.]])',
    'g(lambda a:tf.norm(a,axis=1),[[0.,0.],[3.,4.]])',
    'g(lambda a:tf.norm(a,axis=1)[1],[[0.,0.],[3.,4.]])',
    'g(lambda a:tf.norm(a,ord=1,axis=1),[[0.,0.],[3.,4.]])',
    'g(lambda a:tf.norm(a,ord=np.inf,axis=1),[[1.,1.],[3.,4.]])',
    'g(lambda a:tf.norm(a,ord=3,axis=1),[[0.,1.],[3.,4.]])',
    'g(lambda a:tf.clip_by_norm(a,1.),[3.,4.])',
    'g(lambda a:tf.clip_by_norm(a,1.),[0.,0.])',
    'g(lambda a:tf.clip_by_norm(a,5.),[3.,4.])',
    'g(lambda a,n:tf.clip_by_norm(a,n),[3.,4.],5.)',
    'g(lambda a:tf.clip_by_global_norm([a],1.)[0],[3.,4.])',
    'g(lambda a:tf.clip_by_global_norm([a],5.)[0],[3.,4.])',
    'g(lambda a:tf.clip_by_global_norm([a],9.)[0],[3.,4.])',
    'g(lambda a:tf.linalg.global_norm([a]),[3.,4.])',
    'g(lambda a:tf.linalg.global_norm([a]),[0.,0.])',
    'g(lambda a,b:tf.matmul(a,b,transpose_b=True),[[1.,2.]],[[3.,4.]])',
    "g(lambda a:tf.einsum('ij,ij->i',a,a),[[3.,4.]])",
    'g(lambda a:tf.linalg.diag_part(a,k=1),[[3.,4.],[5.,6.]])',
]


@pytest.fixture(scope="module")
def ours():
    return evaluate(tapejax, ROWS)


@pytest.fixture(scope="module")
def theirs(tf):
    return evaluate(tf, ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_as_tensorflow(row, ours, theirs):
    compare(ours[row], theirs[row])


def test_singular_matrices_give_no_error_but_no_number():
    assert not np.isfinite(tapejax.linalg.inv([[0.0]]).numpy()).any()


def test_clipping_is_one_op():
    gradients = [tapejax.constant([3.0]), None, tapejax.constant([[4.0]])]
    tapejax.sync()
    before = tapejax.explain().ops_recorded
    clipped, length = tapejax.clip_by_global_norm(gradients, 1.0)
    float(length)
    assert tapejax.explain().ops_recorded == before + 1 and clipped[1] is None

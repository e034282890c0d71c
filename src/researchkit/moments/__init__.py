"""Compress once, ask many questions: cross products of (1, exposure, covariates, outcome), summed by cluster.

`compress` reads the rows in one pass. What it makes is additive, so chunks, files and machines just add, in any order.
From the small (clusters, k, k) array come every linear specification with its clustered errors, the cluster bootstrap,
the jackknife and partial R², without touching a row again.

With S_g = X_g'X_g and s_g = X_g'y_g for each cluster, M = (sum S_g)^-1 and b = M sum s_g, the score of a cluster is
s_g - S_g b, and CR2's is F_g (s_g - S_g b) with F_g = (I - S_g M)^(-1/2), because X'f(XMX') = f(X'XM)X'.
"""

from researchkit.moments.line import Fit, cr1, cr2, cr3, fit, without_one
from researchkit.moments.many import bootstrap, curve, left, partial_r2
from researchkit.moments.products import Moments, compress

__all__ = [
    "Fit",
    "Moments",
    "bootstrap",
    "compress",
    "cr1",
    "cr2",
    "cr3",
    "curve",
    "fit",
    "left",
    "partial_r2",
    "without_one",
]

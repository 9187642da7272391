"""Results of association studies beside a run's scores: read, turned to the same alleles, and priors made of scores.

Arrays in, arrays out. Knows sumstats, alleles and a finished run's tables. Does not know what other programs read, for
which see `export`.
"""

"""Association studies beside a run's scores: read, turned to the same alleles, priors made of scores, loci fine-mapped.

Arrays in, arrays out. Knows sumstats, LD, alleles and a finished run's tables. Does not know what other programs read,
for which see `export`.
"""

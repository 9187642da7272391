"""From windows to scores: predictions of both alleles, statistics of their difference, one shard at a time."""

"""How an allele becomes scores: conventions, windows, statistics, and two engines that answer the same question.

`direct` runs both alleles through the network, `delta` carries their difference. Does not know files,
shards or statuses.
"""

__all__ = ["conventions", "delta", "direct", "statistics", "windows"]

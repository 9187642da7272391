"""Tables beside a finished run, made of its own: percentiles, groups of tracks, components, and what others will add.

A summary is a function of the rows of one shard. Whoever has one needs these lines, and `query`, `sql`, `export`,
`verify` and `open_run` know the table:

    def doubled(scores: pa.Table) -> pa.Table:      # at the top of a module, or an object that can be pickled
        return pa.table({"pos2": pc.multiply(scores["pos"], 2)})      # a row for each row of `scores`, in its order

    write_summary(ledger, "doubled", {"version": 1}, doubled, columns=["pos"])

The names of the alleles are put before these columns. `{"version": 1}` is the identity, everything beside the run that
decides the values: settings, digests of files that were read. What lies where, and what says that a table is there:
`enformer_core.dataset.summary_tables`.
"""

from enformer_core.summaries.write import Summarise, write_summary

__all__ = ["Summarise", "write_summary"]

"""Where bytes lie: objects that are created once and never changed, in a directory or on object storage.

Knows names of places (`open`), the stores behind them (`local`, `s3`), trying again (`retry`) and copies on this node
(`cache`). Does not know what the objects mean, who writes them, or when.
"""

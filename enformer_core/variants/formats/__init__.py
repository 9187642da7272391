"""Record formats: one file a format, each a `RecordReader`, and which of them a file is in.

A reader turns a file into tables of text, one row for each record, all of the same columns (see `reader`). Knows
compression, separators, headers and the types of Parquet. Does not know what an allele is: `variants.parse` does.

To add a record format, write one file with a reader and add its class to `detect.READERS`. To add a dialect of text
(another program's names of columns), add a row to `headers.DIALECTS`.
"""

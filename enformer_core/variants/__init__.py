"""Variants: read from files of any format, harmonised with a genome, each allele with a status.

The way of a line:

1. `input_files` spells out globs and directories. `source.open_source` asks `formats.detect` for the file's reader,
   which cuts it into records: columns of text, one row a line (`formats.text`, `bcf` or `parquet`).
2. `source` fills in what one column says in another's place, and `rsids` looks identifiers up where the file has
   nothing else. `parse` makes alleles of the records: one row for each ALT, of RAW_SCHEMA (`table`).
3. `assembly_sample` looks a sample up in the genome; `assembly_check` stops the run if the file was made for another.
4. `filters` takes out the records that are not wanted, by `hashing` where a sample is.
5. `harmonise` gives each allele contig, status and orientation, `allele_checks` first, which needs no sequence;
   `normalise` trims and left-aligns. The rows are now of PLACED_SCHEMA, and `dataset` sorts them into shards.

A file is opened up to four times: for the digest of its bytes (sha256), for the sample of the assembly check, for the
draw of `--sample`, and to read all of it. So inputs are files, not pipes; and whoever changes one in the meantime is
found out when the run goes on, by the digest.

Positions count from 1 or 0 in files, as their formats have it, and in the readers' text. `parse` turns them to 0-based,
once; from there on everything is 0-based and half-open. They are turned back where they are shown: in messages, and in
the columns of a run's tables.

No line is lost: a record that cannot be read, or that the genome does not have, is a row with a status and a reason.
Knows files and the genome. Does not know models, windows or scores.
"""

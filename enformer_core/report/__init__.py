"""Reports: a run on one page, of figures that the run's own tables and receipts give, with the question to each.

Sections are plain data (`content`), made of a run that is asked (`asked`); a template makes a page of them (`page`).
Knows runs and what is said of them. Does not know commands.
"""

"""The output tracks of a head: what each column measures, and which columns a user's words name.

Knows tables of tracks and the grammar of `--tracks`. Does not know models or scores. Columns are 0-based.
"""

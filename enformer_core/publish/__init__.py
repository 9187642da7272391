"""Finished runs in catalogs of tables, where many engines find them: files stay where they are."""

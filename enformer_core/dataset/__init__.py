"""The output directory: what lies where, how it is written exactly once, and how it is proved whole."""

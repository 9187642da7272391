"""The commands: one file each, over one driver loop (`job`).

The only room that sees both others: what is computed comes from `enformer_core`, where it runs from `cluster`. Commands
resolve the user's settings once, print, and turn outcomes into exit codes; they compute nothing themselves.
"""

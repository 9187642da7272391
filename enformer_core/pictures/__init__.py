"""Pictures: charts with a title, words for those who do not see them, and the table behind them.

Knows Altair, colours and files of pictures. Does not know runs, stores or jobs: tables come in, charts come out.
"""

"""Other people's weight files, read into parameters under our names."""

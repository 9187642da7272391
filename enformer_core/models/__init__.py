"""Networks that read 4 letters and predict tracks."""

"""What is known of DNA, models, scores and the dataset they are written to; nothing here knows where it runs."""

__version__ = "0.1.0"

"""TensorFlow's checkpoints, read without TensorFlow: the file format, and the names in DeepMind's.

Knows bytes, checksums and object paths. Does not know networks.
"""

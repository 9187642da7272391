"""What the exit status of every command means; docs/cluster.md says what to do about each."""

DONE = 0
BAD_INPUT = 2  # what argument parsers have always ended with
FAILED_ROWS = 3  # complete, but some rows say why they have no values
AUDIT_FAILED = 4
INCOMPLETE = 5  # the same command continues
INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM

"""What the exit status of every command means."""

DONE = 0
BAD_INPUT = 2
FAILED_ROWS = 3
AUDIT_FAILED = 4
INCOMPLETE = 5
INTERRUPTED = 130
TERMINATED = 143

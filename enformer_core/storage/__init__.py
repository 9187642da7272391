"""Where bytes lie: objects that are created once and never changed, in a directory or on object storage."""

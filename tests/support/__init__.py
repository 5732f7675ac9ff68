"""What several tests share: makers of flags, programs and tables, second implementations, processes."""

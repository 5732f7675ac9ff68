"""What is shipped: programs, value sets and debug information of one revision, and their encoding."""

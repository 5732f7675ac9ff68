"""What several tests share: readers of compiled bytes that follow kernel.h and nothing else."""

"""What it takes to bring a change to every process, beside the floor: see ``benchmarks.bench_distribution``."""

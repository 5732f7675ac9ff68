"""Speed and size as kept records: named workloads, one floor, ratios and instruction counts."""

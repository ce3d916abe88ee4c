"""The pipeline on a loop that owns time: faults and interleavings at every await."""

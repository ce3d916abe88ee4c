"""The simulator: the pipeline in simulated time, with faults and interleavings at every await."""

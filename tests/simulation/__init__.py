"""Simulates the pipeline in simulated time, with faults and random interleavings at each await."""

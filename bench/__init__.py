"""
Ratios of DESIGN's table of speed (P1–P5, P11), measured in one run beside hand-written references.

A machine's numbers mean little and its neighbours' noise is large, so every cell is run in interleaved rounds against
its reference, and what counts is the median of the rounds' ratios.
"""

"""What a sample costs: published extrapolation, circuit simulation, and what each of them leaves out."""

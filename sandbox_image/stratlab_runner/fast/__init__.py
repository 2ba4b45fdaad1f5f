"""The fast engine: zipline's answers from dense arrays, and zipline itself for everything else."""

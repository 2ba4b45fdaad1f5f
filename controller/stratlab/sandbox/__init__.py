"""Single-use containers: everything between a batch of trials and what they claim."""

"""The controller, client and command line of stratlab."""

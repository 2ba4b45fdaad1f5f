"""All that runs inside the sandbox image; the controller imports ``contract`` alone."""

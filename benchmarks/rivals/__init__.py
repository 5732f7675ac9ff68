"""The peers: other systems' released packages, evaluated in-process beside flagcore."""

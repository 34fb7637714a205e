"""What a run notices by itself: code, packages, machine, command line, source and load of the system."""

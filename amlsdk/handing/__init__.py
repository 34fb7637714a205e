"""What whoever asks for work hands to the process that does it: the work, the workspace, and a token of its own."""

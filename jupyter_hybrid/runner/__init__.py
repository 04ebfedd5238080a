"""What travels into the container: executes a notebook and reports."""

"""What is remembered of jobs on the submitting side."""

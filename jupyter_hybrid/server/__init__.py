"""The Jupyter Server extension: jobs over REST, for JupyterLab and Notebook.

Handlers translate between HTTP and the manager, and do nothing else. ``openapi.yaml`` is what they
serve; ``events/`` is what is announced on the server's event bus.
"""

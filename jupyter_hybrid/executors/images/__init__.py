"""Jobs in images, for places that have a container engine.

::

    options ─ settings ─> which engine, which image, what it sees
    image, environment ─ preparing ─> Ready: the image on the disk, its facts, layers as directories
    Ready, job ─ starting ─> Container ─ engine.run ─> the command that runs the job
"""

"""Jobs in images, for places that have a container engine.

::

    options ─ settings ─> which engine, which image, what it sees
    image, environment ─ preparing ─> Ready: the image on the disk, its facts, layers as directories
    Ready, job ─ starting ─> Container ─ engine.run ─> the command that runs the job

On another machine the parts are the same. ``Apptainer.make`` is the command that makes a SIF
there, once; what ``probe_command`` prints in it are its facts; ``make_layers`` makes the layers
here, whose tars are unpacked there; ``Layers.interior`` and ``starting.container`` take the paths
of there.
"""

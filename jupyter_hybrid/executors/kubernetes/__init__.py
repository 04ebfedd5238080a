"""Jobs on Kubernetes: a batch/v1 Job each, followed by one watch.

::

    settings          a target's options, checked
    manifest          job + settings -> Job and Secret as plain dicts (pure)
    reasons           pods, jobs and events -> plain words (pure)
    offers            nodes and pods -> what could start now (pure)
    api               the one door to the API server: kubernetes_asyncio
    pods              the jobs' pods, by one watch
    following         a pod's log -> the job's events here
    delivery          what travels, into the pod
    collecting        results, out of the pod
    executor          all of it

The extra ``jupyter-hybrid[kubernetes]`` is needed; nothing here is imported without a target.
"""

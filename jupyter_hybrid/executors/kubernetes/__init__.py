"""Jobs on Kubernetes: a batch/v1 Job each, followed by one watch.

::

    settings          a target's options, checked
    names             what a job's objects are called
    ranks             jobs on several nodes (pure)
    manifest          job + settings -> Job and Secret as plain dicts (pure)
    reasons           pods, jobs and events -> plain words (pure)
    offers            nodes and pods -> what could start now (pure)
    kubeconfig        who asks, and where the cluster is; what is rare by kubernetes_asyncio
    oidc              a login that is renewed by the company's provider
    connection        an HTTP session with that
    api               the one door to the API server
    pods              the jobs' pods, by one watch
    objects           what one job has at the cluster: asked for, ended, removed
    following         a pod's log -> the job's events here
    imaging           jobs' images, where the site has a registry for them
    submitting        a job's objects, each made once
    delivery          what travels, into the pod
    collecting        results, out of the pod
    executor          all of it

The extra ``jupyter-hybrid[kubernetes]`` is needed; nothing here is imported without a target.
"""

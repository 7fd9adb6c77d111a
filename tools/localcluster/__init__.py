"""A real single-node Kubernetes on a bare Linux machine, without Docker.

Who calls it: ``make cluster-up``, ``make image``, ``make demo``, the integration and the e2e tests.

    from localcluster.cluster import Cluster

    with Cluster("tests", control_plane_only=True) as cluster:   # etcd, API server, controllers
        cluster.kubectl("apply", "-f", "crds/")

    with Cluster("demo") as cluster:                             # and a node that runs pods
        cluster.load_image(archive)
        print(cluster.kubeconfig)

The rooms, from top to bottom; a room knows only those below it::

    __main__         the command line
    catalog          which images there are, and what is in each
    cluster          up, down, restart: brings what runs in line with what should run
    node             a machine in the machine: namespaces, link, cgroups
    rootfs, images   Debian with Python; layers and archives
    components       which programs with which flags and files (pure)
    binaries, toolchain              Go sources to programs, cached
    api, pki, ports, prerequisites   what a start asks, makes, takes and needs
    processes, locks, paths, errors  which programs run, told by their paths; the ground
"""

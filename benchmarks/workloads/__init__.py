"""The workloads, one file each. A module that defines ``WORKLOADS`` is found by its being here."""

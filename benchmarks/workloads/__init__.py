"""The workloads, each in a file of its own. `find_workloads` collects ``WORKLOADS`` from all of these files."""

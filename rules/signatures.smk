# Signatures of the functions that make params, for each of which Snakemake asks three times a job.
import inspect

for rule in workflow.rules:
    for function in filter(inspect.isfunction, rule.params):
        function.__signature__ = inspect.signature(function)

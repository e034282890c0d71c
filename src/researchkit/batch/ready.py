"""What a worker has loaded when it begins: imported once, by the process that workers are forked from."""

from importlib import import_module

from researchkit.report import libraries

for name in ("researchkit.batch.pool", "researchkit.export", "researchkit.site"):
    import_module(name)
libraries()

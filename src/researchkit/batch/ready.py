"""What a worker has loaded when it begins: imported once, by the process that workers are forked from."""

from importlib import import_module

from researchkit.export import exporter
from researchkit.report import libraries

for name in ("researchkit.batch.pool", "researchkit.site"):
    import_module(name)
libraries()
exporter().template  # noqa: B018 - compiled when it is first asked for

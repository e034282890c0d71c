"""A forked kernel is the ordinary kernel in all that a notebook can see, and nothing of it is left behind."""

import asyncio
import json
import logging
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from types import ModuleType

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from researchkit import kernels
from researchkit.errors import ReportError
from researchkit.kernels import check, child, load, place, rehearsal, template, wire
from researchkit.kernels.key import Key
from researchkit.places import ours_alone

WITHOUT = place.impossible({})
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or "pidfd" in WITHOUT, reason=f"kernels are not forked here: {WITHOUT}"
)
SOON = 2.0  # seconds within which a death is seen, and nothing is left


@pytest.fixture(scope="module")
def ready():
    with kernels.warm() as ready:
        assert ready.why == ""
        yield ready


def run(*cells: str, folder: Path | None = None, **client) -> nbformat.NotebookNode:
    """The notebook of these cells, executed as Papermill does it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    chosen = {"kernel_name": "python3", "shutdown_kernel": "immediate", "timeout": 60} | client
    where = {"metadata": {"path": str(folder)}} if folder else {}
    return NotebookClient(notebook, resources=where, **chosen).execute()


def printed(*cells: str, **given) -> str:
    """What the last cell printed."""
    return run(*cells, **given).cells[-1].outputs[0].text


PARENT = "import os; print(os.getppid())"


def forked(ready) -> bool:
    return int(printed(PARENT)) == ready.template


# What a notebook sees.

SIGHT = """
import sys, os, json, gc, signal, resource, locale, tempfile, builtins
import statsmodels.api, seaborn, scipy.stats
import numpy as np, pandas as pd, matplotlib as mpl
shell, main = get_ipython(), sys.modules["__main__"]
umask = os.umask(0); os.umask(umask)
print(json.dumps({
    "arguments": [os.path.basename(sys.argv[0]), sys.argv[1], len(sys.argv), sys.argv[3:], sys.orig_argv[:4]],
    "main": [__name__, repr(main), sorted(vars(main)), sys.path, sys.executable, str(sys.flags)],
    "place": [os.getcwd(), umask, tempfile.gettempdir(), os.getsid(0) == os.getpid() == os.getpgrp()],
    "environment": {k: v for k, v in os.environ.items() if k not in ("RESEARCHKIT_FORK", "PYTEST_CURRENT_TEST")},
    "signals": [str(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
    "limits": [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")],
    "machine": [gc.isenabled(), gc.get_threshold(), locale.getlocale(), sys.getrecursionlimit(), sys.stdin.encoding],
    "builtins": sorted(vars(builtins)),
    "history": shell.history_manager.hist_file,
    "numpy": [np.geterr(), np.get_printoptions()],
    "matplotlib": [{k: str(v) for k, v in mpl.rcParams.items()}, mpl.is_interactive()],
    "pandas": {k: str(pd.get_option(k)).lower() for k in pd._config.config._registered_options},
    "progress": "tqdm" in sys.modules,
    "debugger": any("researchkit" in name for name in getattr(shell.kernel, "_kernel_modules", ())),
}, default=str))
"""
DRAWN = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('First')"
AGAIN = "fig, ax = plt.subplots(); ax.hist(np.random.default_rng(1).normal(size=50))\nplt.show()"
WIDE = "pd.DataFrame(np.arange(80).reshape(2, 40))"
HASHES = "hash('a'), list({'north', 'south', 'east', 'west'})"
SEEDED = "import random; random.seed(3); np.random.seed(3); random.random(), np.random.normal(), np.random.random()"


def test_an_ordinary_and_a_forked_kernel_are_the_same_to_a_notebook(ready, monkeypatch, tmp_path):
    cells = [SIGHT, DRAWN, AGAIN, WIDE, HASHES, SEEDED]
    one = run(*cells, folder=tmp_path)
    monkeypatch.setenv(place.SWITCH, "0")
    other = run(*cells, folder=tmp_path)
    seen, expected = (json.loads(notebook.cells[0].outputs[0].text) for notebook in (one, other))
    for told in (seen, expected):
        assert told["environment"].pop("JPY_PARENT_PID") == str(os.getpid())
    assert seen == expected
    assert expected["history"] == ":memory:"
    assert "image/png" in str(one.cells[1].outputs)
    assert [cell.outputs for cell in one.cells[1:]] == [cell.outputs for cell in other.cells[1:]]
    images = [output for cell in one.cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(images) == 2


def test_every_run_is_random_anew_and_alike_by_its_seed(ready):
    drawn = "import numpy as np, random, uuid\n" + "print(np.random.random(), random.random(), uuid.uuid4())"
    seeded = "np.random.seed(1); random.seed(1); print(np.random.random(), random.random())"
    first, second = (run(drawn, seeded) for _ in range(2))
    texts = [[cell.outputs[0].text for cell in notebook.cells] for notebook in (first, second)]
    assert all(one != other for one, other in zip(texts[0][0].split(), texts[1][0].split(), strict=True))
    assert texts[0][1] == texts[1][1]


def test_directory_environment_and_limits_are_those_of_the_caller_now(ready, monkeypatch, tmp_path):
    monkeypatch.setenv("SITE", "Zürich")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("MPLBACKEND", "agg")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 7, hard))
    try:
        told = printed(
            "import os, time, resource, matplotlib.pyplot as plt\nprint(os.getcwd(), os.environ['SITE'], time.tzname[0], "
            "resource.getrlimit(resource.RLIMIT_NOFILE)[0], plt.get_backend(), 'RESEARCHKIT' in str(os.environ))",
            folder=tmp_path,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert told.split() == [str(tmp_path), "Zürich", "NZST", str(soft - 7), "agg", "True"]


def test_what_a_kernel_writes_past_the_notebook_goes_where_its_asker_writes(ready):
    asked = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True)
    assert asked.stdout == "straight out", asked.stderr


ASKED = """
import nbformat
from nbclient import NotebookClient
cell = "import os; os.write(1, b'straight out')"  # Jupyter catches that too, but not under pytest
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
NotebookClient(notebook, kernel_name="python3", shutdown_kernel="immediate").execute()
"""


# What is left when something dies.


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(*pids: int, within: float = SOON) -> bool:
    until = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))


def told_in(path: Path, words: int, within: float = 60) -> list[str]:
    """What another process writes into a file, once all is there."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if path.exists() and len(told := path.read_text().split()) >= words:
            return told
        time.sleep(0.02)
    raise AssertionError(f"{path} never had {words} words")


STUCK = """
import os, subprocess, time
started = subprocess.Popen(["sleep", "300"])
open(PATH, "w").write(f"{os.getpid()} {started.pid} {os.getppid()} ")
time.sleep(300)
"""


@contextmanager
def stuck(tmp_path):
    """A notebook whose cell never ends: its future, the kernel, and what that started."""
    path = tmp_path / "pids"
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, STUCK.replace("PATH", repr(str(path))))
        kernel, grandchild, _ = map(int, told_in(path, 3))
        yield future, kernel, grandchild
        os.kill(kernel, signal.SIGKILL) if alive(kernel) else None


@pytest.mark.parametrize("victim", ["kernel", "template"])
def test_a_death_is_seen_at_once_and_leaves_nothing(ready, tmp_path, victim):
    with stuck(tmp_path) as (future, kernel, grandchild):
        os.kill(kernel if victim == "kernel" else ready.template, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(DeadKernelError):
            future.result(timeout=20)
        assert time.monotonic() - began < SOON
        assert gone(kernel, grandchild)


def test_a_template_that_died_is_replaced(ready):
    before = ready.template
    os.kill(before, signal.SIGKILL)
    parent = int(printed(PARENT))
    assert parent == ready.template != before


PAPERMILL = """
import sys, papermill
papermill.execute_notebook(*sys.argv[1:3], kernel_name="python3", progress_bar=False, shutdown_kernel="immediate")
"""


@pytest.mark.parametrize("template_is", ["well", "well, the kernel deaf", "stopped"])
def test_a_killed_worker_takes_its_kernel_along_and_no_other(ready, tmp_path, template_is):
    path = tmp_path / "pids"
    stuck = (
        STUCK.replace("time.sleep(300)", "import ctypes; ctypes.PyDLL(None).sleep(300)")
        if "deaf" in template_is
        else STUCK
    )
    cell = nbformat.v4.new_code_cell(stuck.replace("PATH", repr(str(path))))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    worker = subprocess.Popen(
        [sys.executable, "-c", PAPERMILL, tmp_path / "in.ipynb", tmp_path / "out.ipynb"], stderr=subprocess.DEVNULL
    )
    kernel, grandchild, parent = map(int, told_in(path, 3))
    assert parent == ready.template
    os.kill(parent, signal.SIGSTOP if template_is == "stopped" else 0)
    try:
        worker.kill()
        worker.wait()
        assert gone(kernel, grandchild)
    finally:
        os.kill(parent, signal.SIGCONT)
    assert alive(parent)


SAYS = """
import subprocess, sys, threading
print("one", end=""); sys.stdout.flush()
print(" two", end="", flush=True)
thread = threading.Thread(target=print, args=(" three",)); thread.start(); thread.join()
sys.stderr.write("aside")
sys.stdout.flush(); sys.stdout.flush()
"""


def test_what_is_printed_is_there_when_its_cell_ends(ready):
    forked(ready)
    for cell in run(*[SAYS] * 5).cells:
        told = {name: "".join(one.text for one in cell.outputs if one.name == name) for name in ("stdout", "stderr")}
        assert told == {"stdout": "one two three\n", "stderr": "aside"}


def test_a_kernel_that_is_done_with_is_not_told_to_stop_first(ready, capfd):
    for _ in range(5):
        run("1", kernel_manager_class=kernels.MANAGER)
    assert "KeyboardInterrupt" not in "".join(capfd.readouterr())


def test_a_cell_that_never_ends_is_stopped_by_its_deadline(ready):
    with pytest.raises(CellTimeoutError):
        run("while True: pass", timeout=1)


def test_a_cell_that_never_ends_can_be_interrupted(ready):
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        run("import time\nwhile True: time.sleep(0.01)", timeout=1, interrupt_on_timeout=True)


def test_nothing_is_left_after_many(ready):
    forked(ready)
    before = at_rest(ready.template)
    for _ in range(6):
        run("1")
    assert at_rest(ready.template) == before


def at_rest(pid: int) -> tuple[int, int]:
    """Once only the child that waits is left: a kernel that has been killed takes a moment to go."""
    deadline = time.monotonic() + SOON
    while files_and_children(pid)[1] != 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    return files_and_children(pid)


def files_and_children(pid: int) -> tuple[int, int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), len(children)


# Many at once.

SIX = """
import asyncio, json, sys, nbformat
from nbclient import NotebookClient

async def one(number):
    planted = nbformat.v4.new_code_cell(f"planted, folder = {number}, {sys.argv[1]!r}")
    cells = [planted, nbformat.v4.new_code_cell(CELL), nbformat.v4.new_code_cell("print(planted, os.getppid())")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    await NotebookClient(notebook, kernel_name="python3", shutdown_kernel="immediate", timeout=60).async_execute()
    return number, *map(int, notebook.cells[2].outputs[0].text.split())

async def main():
    return await asyncio.gather(*(one(number) for number in range(int(sys.argv[2]), int(sys.argv[2]) + 6)))

# None goes on before all twelve run.
CELL = '''
import os, time
open(f"{folder}/{planted}", "w").close()
until = time.monotonic() + 30
while len(os.listdir(folder)) < 12 and time.monotonic() < until:
    time.sleep(0.01)
assert len(os.listdir(folder)) == 12
'''
print(json.dumps(asyncio.run(main())))
"""


def test_twelve_at_once_from_two_processes_show_their_own(ready, tmp_path):
    askers = [
        subprocess.Popen([sys.executable, "-c", SIX, tmp_path, str(first)], stdout=subprocess.PIPE, text=True)
        for first in (0, 6)
    ]
    told = [json.loads(asker.communicate(timeout=60)[0]) for asker in askers]
    assert [shown[:2] for shown in told[0] + told[1]] == [[number, number] for number in range(12)]
    assert {shown[2] for shown in told[0] + told[1]} == {ready.template}


# JupyterLab's way.


def test_an_asynchronous_manager_starts_restarts_interrupts_and_shuts_down(ready, tmp_path):
    asyncio.run(managed(ready, tmp_path / "left"))


async def managed(ready, path):
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=30)
    assert type(client).__name__ == "PromptClient"
    with pytest.raises(Empty):  # no echo of its first question is left for the first cell
        await client.get_iopub_msg(timeout=0.3)
    assert (await shown(client, PARENT)).strip() == str(ready.template)
    assert manager.transport == "ipc"
    assert Path(manager.ip).parent.stat().st_mode & 0o077 == 0
    first = manager.provisioner.pid

    endless = client.execute("while True: pass", stop_on_error=False)  # else what follows at once is thrown away
    await asyncio.sleep(0.3)
    await manager.interrupt_kernel()
    while (told := await client.get_shell_msg(timeout=10))["parent_header"]["msg_id"] != endless:
        pass
    assert told["content"]["ename"] == "KeyboardInterrupt"
    assert (await shown(client, "print('again')")).strip() == "again"

    await manager.restart_kernel(now=True)
    await client.wait_for_ready(timeout=30)
    assert not alive(first)
    assert int(await shown(client, "import os; print(os.getpid())")) == manager.provisioner.pid != first

    await manager.provisioner.kill()
    assert await manager.provisioner.poll() == -signal.SIGKILL  # at once: nobody has to ask twice
    await manager.restart_kernel(now=True)
    await client.wait_for_ready(timeout=30)

    await shown(client, f"import atexit; atexit.register(lambda: open({str(path)!r}, 'w').close())")
    folder = Path(manager.ip).parent
    await manager.shutdown_kernel()
    client.stop_channels()
    assert not await manager.is_alive()
    assert path.exists()
    assert not folder.exists()


async def shown(client, code: str) -> str:
    texts = []
    hook = lambda told: texts.append(told["content"]["text"]) if told["msg_type"] == "stream" else None  # noqa: E731
    await client.execute_interactive(code, output_hook=hook, timeout=30)
    return "".join(texts)


def test_every_kernel_has_a_short_path_of_its_own(ready, tmp_path):
    with tempfile.TemporaryDirectory(prefix="rk-") as folder:
        asyncio.run(paths(f"{folder}/k", str(tmp_path / ("x" * 100))))


async def paths(private, too_long):
    shared = AsyncKernelManager(kernel_name="python3", transport="ipc", ip="kernel-ipc")
    unsaid = AsyncKernelManager(kernel_name="python3")
    long = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=too_long)
    given = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=private)
    for manager in (managers := [shared, unsaid, long, given]):
        await manager.start_kernel()
    ways = [manager.ip for manager in managers]
    assert ways[3] == private
    assert len(set(ways)) == 4
    assert max(map(len, ways)) < 105
    for manager in managers:
        await manager.shutdown_kernel(now=True)
    assert not any(Path(way).parent.exists() for way in ways[:3])


# Whether it is safe.


def test_the_template_is_a_single_thread_and_has_proved_itself(ready):
    assert ready.told["figures"] == 1
    assert 0 < ready.told["rehearsal"] < 30
    assert "Threads:\t1\n" in Path(f"/proc/{ready.template}/status").read_text()
    assert int(printed("import gc; print(gc.get_freeze_count())")) > 100_000
    assert int(printed("from researchkit import claims; print(claims._read.cache_info().currsize)")) == 1


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"failed": "ImportError: x"}, "does not work: ImportError: x"),
        ({"threads": 3, "error": 0.0, "figures": 1}, "began with 3 threads"),
        ({"threads": 1, "error": 0.5, "figures": 1}, "did not solve"),
        ({"threads": 1, "error": float("nan"), "figures": 1}, "did not solve"),
        ({"threads": 1, "error": 0.0, "figures": 0}, "showed 0 images"),
        (None, r"ended \(exit -9\) or hung"),
    ],
)
def test_a_rehearsal_that_fails_speaks_against_forking(found, said):
    text = json.dumps(found).encode() if found else b""
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(rehearsal.judge(text, -9)["no"])


@pytest.mark.parametrize(("module", "said"), [("polars", "polars is loaded"), ("matplotlib_inline", "no figure")])
def test_some_modules_are_not_forked(monkeypatch, module, said):
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert said in load.unsafe()


def test_a_module_that_a_fork_breaks_is_not_loaded(monkeypatch, tmp_path):
    (tmp_path / "polars.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "polars", raising=False)
    load.names(["polars"])
    assert "polars" not in sys.modules


def test_threads_are_counted():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [0.05, 0.05]))
        assert load.threads() >= 3


def test_other_systems_are_told_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Only Linux" in place.impossible({})
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delattr(os, "pidfd_open")
    assert "pidfd" in place.impossible({})


ORDER = {"prefix": sys.prefix, "cwd": "/", "env": {"HOME": "/a", "PYTHONHASHSEED": "0", "SITE": "x"}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"env": {"HOME": "/a"}}, ""),
        ({"env": {"HOME": "/a", "OMP_NUM_THREADS": "4"}}, "OMP_NUM_THREADS is not"),
        ({"env": {"HOME": "/a", "PYTHONPATH": "/b"}}, "PYTHONPATH is not"),
        ({"env": {}}, "HOME is not"),
        ({"prefix": "/usr"}, "The template runs in"),
    ],
)
def test_a_kernel_that_the_template_cannot_be_is_not_forked(changed, said):
    reason = child.unlike(ORDER | changed, {"HOME": "/a", "PYTHONHASHSEED": "0"} | place.SAME)
    assert (said in reason) if said else not reason


def test_a_style_of_figures_in_the_folder_counts(tmp_path):
    (tmp_path / "matplotlibrc").write_text("axes.grid: True")
    assert "matplotlibrc" in child.unlike(ORDER | {"cwd": str(tmp_path)}, ORDER["env"] | place.SAME)


@pytest.mark.parametrize(
    ("name", "value", "said"), [(place.SWITCH, "0", "asks for ordinary"), ("OMP_NUM_THREADS", "2", "OMP_NUM_THREADS")]
)
def test_an_ordinary_kernel_is_said_aloud(ready, monkeypatch, caplog, name, value, said):
    monkeypatch.setattr("researchkit.kernels.provisioner._said", set())
    monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        assert int(printed(PARENT)) == os.getpid()
    assert "An ordinary kernel is started" in caplog.text
    assert said in caplog.text


def test_another_program_is_an_ordinary_kernel(tmp_path):
    from researchkit.kernels import provisioner

    given = {"env": {}, "cwd": "/"}
    good = [sys.executable, "-m", "ipykernel_launcher", "-f", "x"]
    elsewhere = tmp_path / "python"  # of another environment, which links to the same interpreter
    elsewhere.symlink_to(Path(sys.executable).resolve())
    assert provisioner.order_of(good, given)["command"] == good
    for command, kwargs in [
        (["R", "-e", "IRkernel::main()"], {}),
        (["/usr/bin/env", *good[1:]], {}),
        ([str(elsewhere), *good[1:]], {}),
        (good, {"stdout": 1}),
    ]:
        with pytest.raises(provisioner.Unfit):
            provisioner.order_of(command, given | kwargs)


def test_jupyter_is_used_here_alone(root):
    """The wall of the house: only this room starts kernels."""
    package = root / "src" / "researchkit"
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] != "kernels":
            assert not re.search(
                r"^\s*(import|from) (jupyter_client|ipykernel)", path.read_text(encoding="utf-8"), re.M
            )


# Who may ask.


def test_the_socket_is_this_users_alone(ready):
    folder = place.announced()
    assert ours_alone(folder)
    folder.chmod(0o755)
    try:
        assert not ours_alone(folder)
    finally:
        folder.chmod(0o700)


def test_strangers_are_turned_away(monkeypatch, tmp_path):
    listener, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "ask"))
    listener.listen()
    client.connect(str(tmp_path / "ask"))
    line, other = socket.socketpair()
    alone = template.Template(listener, line, os.pidfd_open(os.getpid()), Key())
    assert wire.peer(client)[1] == os.getuid()
    monkeypatch.setattr(wire, "peer", lambda end: (os.getpid(), os.getuid() + 1))
    alone.meet()
    assert alone.askers == {}
    assert client.recv(1) == b""
    for end in (listener, client, line, other):
        end.close()


@pytest.mark.parametrize(
    "said", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x02{}"]
)
def test_what_is_no_order_ends_the_talk_and_nothing_else(ready, said):
    before = ready.template
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(place.announced() / place.SOCKET))
        end.sendall(said)
        end.settimeout(20)
        assert end.recv(1) == b""
    assert forked(ready)
    assert ready.template == before


def test_messages_are_whole_and_bounded():
    one, other = socket.socketpair()
    inbox = wire.Inbox(other)
    with ThreadPoolExecutor(1) as pool:  # more than the system holds between the two ends
        pool.submit(wire.send, one, {"a": "ü" * 100_000}, (0,))
        while not (message := inbox.message()):
            inbox.take_in()
    assert message == {"a": "ü" * 100_000}
    assert len(inbox.files) == 1
    one.sendall(b"\x00\x00\x00\x02[]")
    inbox.take_in()
    with pytest.raises(ValueError, match="no object"):
        inbox.message()
    one.close()
    with pytest.raises(EOFError):
        inbox.take_in()
    inbox.close()


def test_no_message_can_run_code(root):
    for path in (root / "src" / "researchkit" / "kernels").glob("*.py"):
        assert "import pickle" not in path.read_text()


# A template that is never older than the code. The package here is a small one, so that it loads at once.


@pytest.fixture
def small(root, tmp_path, monkeypatch):
    """A package with the kernels and one number; its folder."""
    package = tmp_path / "small" / "researchkit"
    package.mkdir(parents=True)
    shutil.copytree(root / "src" / "researchkit" / "kernels", package / "kernels")
    for name in ("errors.py", "places.py"):  # what they stand on
        shutil.copy(root / "src" / "researchkit" / name, package)
    (package / "__init__.py").write_text("")
    (package / "number.py").write_text("VALUE = 1\n")
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    for name in (place.WHERE, place.JUPYTER):
        monkeypatch.delenv(name, raising=False)
    return package


RENEWED = """
import sys, nbformat
from pathlib import Path
from jupyter_client.manager import start_new_kernel
from researchkit import kernels

def shown(client, code):
    texts = []
    hook = lambda told: texts.append(told["content"]["text"]) if told["msg_type"] == "stream" else None
    client.execute_interactive(code, output_hook=hook, timeout=60)
    return "".join(texts).strip()

asked = "from researchkit.number import VALUE; import os; print(VALUE, os.getppid())"
package = Path(sys.argv[1])
with kernels.warm() as ready:
    assert ready.why == "", ready.why
    first, one = start_new_kernel()
    print(shown(one, asked), ready.template)
    (package / "number.py").write_text("VALUE = 2")
    second, two = start_new_kernel()
    print(shown(two, asked), ready.template)
    print(shown(one, asked))
    for manager in (first, second):
        manager.shutdown_kernel(now=True)
    (package / "busy.py").write_text("import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()")
    third, three = start_new_kernel()
    print(shown(three, asked), os.getpid() if (os := __import__("os")) else 0)
    print(ready.why)
    third.shutdown_kernel(now=True)
"""


def test_a_template_is_renewed_when_the_code_changes_and_given_up_when_that_is_not_safe(small):
    told = subprocess.run(
        [sys.executable, "-c", RENEWED, small], capture_output=True, text=True, timeout=120, cwd=small.parent.parent
    )
    assert told.returncode == 0, told.stderr
    first, second, again, third, why = told.stdout.splitlines()
    assert first.split()[0] == again.split()[0] == "1"
    assert first.split()[1] == first.split()[2] == again.split()[1]  # the old kernel is not disturbed
    assert second.split()[0] == "2"
    assert second.split()[1] == second.split()[2] != first.split()[1]
    assert third.split()[1] == third.split()[2]
    assert "2 threads" in why
    assert "An ordinary kernel is started" in told.stderr


ALONE = """
import os
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel()
texts = []
hook = lambda told: texts.append(told["content"]["text"]) if told["msg_type"] == "stream" else None
client.execute_interactive("import os; print(os.getppid())", output_hook=hook, timeout=60)
print(*texts, os.getpid(), flush=True)
"""


def test_a_program_that_knows_nothing_of_it_gets_a_template_of_its_own(small, monkeypatch, tmp_path):
    monkeypatch.setenv(place.JUPYTER, place.NAME)
    monkeypatch.setenv(place.WHERE, str(tmp_path / "of a run that has ended"))
    (temporary := Path(tempfile.mkdtemp(prefix="rk-"))).chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(temporary))
    told = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    parent, asker = map(int, told.stdout.split())
    assert parent != asker
    assert "An ordinary kernel" not in told.stderr
    assert gone(parent)
    assert not list(temporary.glob("*k-*"))  # although it never shut its kernel down
    shutil.rmtree(temporary)


WHOLE = """
import sys, papermill
from researchkit import kernels
with kernels.warm() as ready:
    print(ready.template, kernels.place.WHERE and __import__("os").environ[kernels.place.WHERE], flush=True)
    papermill.execute_notebook(*sys.argv[1:3], kernel_name="python3", progress_bar=False)
"""


def test_nothing_is_left_of_a_run_that_is_killed_as_a_whole(small, tmp_path):
    path = tmp_path / "pids"
    cell = nbformat.v4.new_code_cell(STUCK.replace("PATH", repr(str(path))))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    owner = subprocess.Popen(
        [sys.executable, "-c", WHOLE, tmp_path / "in.ipynb", tmp_path / "out.ipynb"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    parent, folder = owner.stdout.readline().split()
    kernel, grandchild, _ = map(int, told_in(path, 3))
    spare = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    owner.kill()
    owner.wait()
    assert gone(kernel, grandchild, int(parent), *map(int, spare))
    assert not Path(folder).exists()
    owner.stdout.close()


def test_a_key_is_of_the_content(tmp_path):
    module = tmp_path / "a.py"
    module.write_text("x = 1")
    key = Key(tmp_path)
    assert not key.stale()
    os.utime(module, ns=(1, 1))
    assert not key.stale()
    module.write_text("x = 2")
    assert key.stale()
    module.write_text("x = 1")
    assert not key.stale()
    (tmp_path / "b.yml").write_text("")
    assert key.stale()


def test_what_is_installed_belongs_to_the_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    key = Key(tmp_path)
    (tmp_path / "numpy-9.9.dist-info").mkdir()
    assert key.stale()


# Both ways, compared.


def test_differences_are_those_of_the_fork_alone(ready, tmp_path):
    cells = ["1 + 1", "import time; print(time.time_ns())", "import sys; 'seaborn' in sys.modules"]

    def both(target):
        nbformat.write(run(*cells), target)

    found = kernels.differences(both)
    assert [(one.cell, one.part) for one in found] == [(3, "output 1 data text/plain")]
    assert "Code cell 3" in str(found[0])


def test_there_is_nothing_to_compare_without_a_fork_or_a_notebook(ready, monkeypatch):
    with pytest.raises(ReportError, match="left no notebook"):
        kernels.differences(lambda target: None)
    monkeypatch.setenv(place.SWITCH, "0")
    with pytest.raises(ReportError, match="asks for ordinary kernels"):
        kernels.differences(lambda target: None)


def test_outputs_are_told_apart_to_the_leaf():
    cell = {"cell_type": "code", "outputs": [{"data": {"text/html": ["a", "b"], "x+json": {"n": [1, {"m": 2}]}}}]}
    told = check.outputs({"cells": [{"cell_type": "markdown"}, cell]})
    assert [place for _, place in told] == [
        "output 1 data text/html",
        "output 1 data x+json n 1",
        "output 1 data x+json n 2 m",
    ]


# One owner.


def test_a_process_further_down_borrows_the_template(ready):
    before = dict(os.environ)
    with kernels.warm() as borrowed:
        assert borrowed.why == ""
        assert borrowed.template is None
    assert dict(os.environ) == before
    assert alive(ready.template)


def test_a_fork_of_the_owner_ends_nothing(ready, monkeypatch):
    monkeypatch.setattr(ready, "process", os.getpid() + 1)
    ready.close()
    assert alive(ready.template)


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv(place.SWITCH, "0")
    before = dict(os.environ)
    with kernels.warm() as without:
        assert "asks for ordinary" in without.why
        assert os.environ["PYTHONHASHSEED"] == before.get("PYTHONHASHSEED", "0")
    assert dict(os.environ) == before

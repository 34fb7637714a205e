"""amlsdk inside other programs: threads, forks, pickles, two workspaces, silence, and nothing left behind."""

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest

import amlsdk
from amlsdk.errors import InvalidArgument, NotFound, NotSignedIn, Unavailable
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import UpdateExperiment
from amlsdk.operations.runs import CreateRun, GetRun, SearchRuns
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost


def _experiment(workspace):
    return workspace.projects.get_or_create("p").experiments.get_or_create("e")


def test_threads_share_every_object(workspace):
    run = _experiment(workspace).start_run()

    def work(number):
        for step in range(200):
            run.log("loss", step, step=number * 200 + step)
        run.set_tag(f"thread{number}", "done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.complete()
    assert len(run.series("loss")) == 1600
    assert len(run.tags) == 8


def in_a_child(work):
    """Do something in a forked child, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001  # a child tells by its output and exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server over a workspace of its own, whose token is in the environment."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    backend = LocalBackend(tmp_path / "served")
    with ServerThread(backend.open()) as running:
        monkeypatch.setenv("AMLSDK_TOKEN", running.token)
        yield running
    backend.close()


@pytest.fixture(params=["folder", "http"])
def location(request, tmp_path):
    """Where a workspace is: a folder, or a URL."""
    return tmp_path / "workspace" if request.param == "folder" else request.getfixturevalue("server").url


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_reads_and_writes_while_the_parent_is_at_work(location):
    """Fork comes at any moment: here while threads of the parent wait for a reply, read and write."""
    with amlsdk.connect(location) as workspace:
        stop, send = threading.Event(), workspace._client.send
        experiment = _experiment(workspace)
        active = send(CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process())).id

        def work():
            while not stop.is_set():
                send(GetRun(run_id=active))
                send(SearchRuns(experiment_id=experiment.id))
                send(UpdateExperiment(experiment_id=experiment.id, description="busy"))

        def use():
            assert workspace.runs.get(active).status == "Running"
            with experiment.start_run(name=f"child-{os.getpid()}") as own:
                own.log("loss", 0.5)
            assert own.metrics == {"loss": 0.5}
            workspace.close()

        waiting = threading.Thread(target=lambda: send(GetRun(run_id=active, wait_s=3.0)))
        threads = [waiting, *(threading.Thread(target=work) for _ in range(3))]
        for thread in threads:
            thread.start()
        codes = [in_a_child(use) for _ in range(4)]
        stop.set()
        for thread in threads:
            thread.join()
        assert codes == [0] * 4
        children = [one for one in workspace.runs.list() if one.name.startswith("child-")]
        assert [one.status for one in children] == ["Completed"] * 4


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_a_run_is_logged_and_sent_does_the_same(location):
    with amlsdk.connect(location) as workspace:
        with _experiment(workspace).start_run() as run:
            run.log("parent", 1.0)

            def use():
                run.log("child", 2.0)
                run.flush()
                assert workspace.runs.get(run.id).metrics["child"] == 2.0

            # At once, while the parent's threads are at work with what the child inherits.
            assert in_a_child(use) == 0
            run.log("parent", 3.0)
        assert run.metrics == {"parent": 3.0, "child": 2.0}
        assert run.status == "Completed"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_logs_to_the_run_but_does_not_end_it(folder_workspace):
    with _experiment(folder_workspace).start_run() as run:
        run.log("loss", 1.0, step=0)
        pid = os.fork()
        if pid == 0:
            run.log("loss", 0.5, step=1)
            run.complete()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert run.status == "Running"
        run.log("loss", 0.25, step=2)
    assert list(run.series("loss").values) == [1.0, 0.5, 0.25]
    assert run.status == "Completed"


def test_objects_pickle_without_tokens_and_reconnect(workspace, monkeypatch):
    experiment = _experiment(workspace)
    with experiment.start_run() as run:
        run.log("loss", 0.5)
    token = workspace._client.address.token
    content = pickle.dumps([workspace, experiment, run])
    if token is not None:
        assert token.encode() not in content
        monkeypatch.setenv("AMLSDK_TOKEN", token)
    again, same_experiment, same_run = pickle.loads(content)
    assert same_run == run
    assert same_run.metrics == {"loss": 0.5}
    assert same_experiment.runs.list() == [run]
    again.close()


def test_two_workspaces_live_side_by_side(tmp_path):
    with amlsdk.connect(tmp_path / "a") as one, amlsdk.connect(tmp_path / "b") as two:
        with _experiment(one).start_run() as first, _experiment(two).start_run() as second:
            first.log("loss", 1)
            second.log("loss", 2)
        assert [run.metrics for run in one.runs] == [{"loss": 1.0}]
        assert [run.metrics for run in two.runs] == [{"loss": 2.0}]


def test_a_folder_and_a_service_live_side_by_side(server, tmp_path):
    with amlsdk.connect(tmp_path / "a") as one, amlsdk.connect(server.url) as two:
        with _experiment(one).start_run() as first, _experiment(two).start_run() as second:
            first.log("loss", 1)
            second.log("loss", 2)
        assert [run.metrics for run in one.runs] == [{"loss": 1.0}]
        assert [run.metrics for run in two.runs] == [{"loss": 2.0}]


def test_nothing_is_printed_and_no_signal_is_handled(tmp_path, capfd):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook
    with amlsdk.connect(tmp_path / "workspace") as workspace, _experiment(workspace).start_run() as run:
        run.log("loss", 1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook) == before
    assert capfd.readouterr() == ("", "")


def open_files():
    """What this process has open: files by path, sockets and pipes by number."""
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.islink(link)}


def use_all(workspace):
    """Do what needs threads, files and sockets."""
    with _experiment(workspace).start_run() as run:
        run.log("loss", 1)
        run.log_table("table", [{"a": 1}])
        assert run.metrics == {"loss": 1.0}
    readers = [threading.Thread(target=lambda: workspace.runs.get(run.id).refresh()) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return run


def test_closing_leaves_no_thread_and_no_file(tmp_path):
    threads = set(threading.enumerate())
    workspace = amlsdk.connect(tmp_path / "workspace")
    run = use_all(workspace)
    workspace.close()
    workspace.close()
    assert set(threading.enumerate()) - threads == set()
    assert not [path for path in open_files() if str(tmp_path) in path]
    with pytest.raises(Unavailable, match="closed"):
        run.refresh()


def test_closing_leaves_no_thread_and_no_socket_to_a_service(tmp_path):
    """The service is in a process of its own, so that its threads and sockets are not taken for those of the client."""
    script = (
        "import sys\n"
        "from amlsdk.local import LocalBackend\n"
        "from amlsdk.server.run import serve\n"
        "from amlsdk.server.single import SingleHost\n"
        "host = SingleHost(LocalBackend(sys.argv[1]).open())\n"
        "serve(host, on_ready=lambda url: print(url, host.token, flush=True))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "served")]
    environment = {**os.environ, "AMLSDK_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as serving:
        try:
            url, token = serving.stdout.readline().split()
            threads, files = set(threading.enumerate()), open_files()
            workspace = amlsdk.connect(url, token=token)
            run = use_all(workspace)
            assert [name for name in open_files() - files if name.startswith("socket:")]
            workspace.close()
            workspace.close()
            assert set(threading.enumerate()) - threads == set()
            assert open_files() - files == set()
            with pytest.raises(Unavailable, match="closed"):
                run.refresh()
        finally:
            serving.terminate()
    assert serving.returncode in (0, -signal.SIGTERM)


def test_a_server_that_stops_leaves_no_thread_and_no_socket(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    threads, files = set(threading.enumerate()), open_files()
    backend = LocalBackend(tmp_path / "served")
    with ServerThread(backend.open()) as running, amlsdk.connect(running.url, token=running.token) as workspace:
        use_all(workspace)
    backend.close()
    assert set(threading.enumerate()) - threads == set()
    assert open_files() - files == set()


def test_closing_completes_the_runs_that_this_process_left_open(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        left = _experiment(workspace).start_run().id
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        assert workspace.runs.get(left).status == "Completed"


def test_waiting_does_not_block_an_event_loop(folder_workspace, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("import time; time.sleep(0.5)")
    project = folder_workspace.projects.create("q", folder=tmp_path / "code")
    run = project.experiments.create("e").submit("train.py")

    async def main():
        waiting = asyncio.create_task(run.wait_async())
        beats = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    assert asyncio.run(main()) > 5
    assert run.status == "Completed"


def test_waiting_for_a_service_does_not_block_an_event_loop(location):
    with amlsdk.connect(location) as workspace, _experiment(workspace).start_run() as run:

        async def main():
            waiting = asyncio.create_task(run.wait_async())
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert not waiting.done()
            await asyncio.to_thread(run.complete)
            await waiting

        asyncio.run(main())
        assert run.status == "Completed"


def test_logging_goes_to_our_logger_and_nowhere_by_itself():
    """Without a handler of its own the library would write to standard error."""
    code = (
        "import logging, amlsdk\n"
        "ours = logging.getLogger('amlsdk')\n"
        "assert [type(handler).__name__ for handler in ours.handlers] == ['NullHandler'], ours.handlers\n"
        "assert logging.getLogger().handlers == []\n"
        "logging.getLogger('amlsdk.remote').error('nobody asked')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_given_beats_the_environment(server, monkeypatch):
    monkeypatch.setenv("AMLSDK_WORKSPACE", "/nowhere")
    monkeypatch.setenv("AMLSDK_TOKEN", "of-the-environment")
    with amlsdk.connect(server.url, token=server.token) as workspace:
        assert (workspace.location, workspace.name) == (server.url, "served")
    with pytest.raises(NotSignedIn):
        amlsdk.connect(server.url)


def test_a_service_is_asked_for_the_workspace_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with contextlib.closing(TenantHost(tmp_path / "service")) as host, ServerThread(host) as server:
        token = host.first_token
        with amlsdk.connect(server.url, token=token) as first:
            assert first.name == "default"
            first.subscription.workspaces.create("vision").close()
        for url in (server.url, server.url.replace("http://", "HTTP://"), f"{server.url}/"):
            with amlsdk.connect(url, token=token, workspace="vision") as second:
                assert (second.name, second.location) == ("vision", f"{server.url}/w/vision")
        with pytest.raises(NotFound, match="no workspace 'other' that you are a member of"):
            amlsdk.connect(server.url, token=token, workspace="other")


def test_the_folder_is_found_as_documented(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project" / "aml_config").mkdir(parents=True)
    (tmp_path / "project" / "sub").mkdir()
    (tmp_path / "project" / "aml_config" / "workspace.json").write_text('{"location": "../shared"}')
    monkeypatch.delenv("AMLSDK_WORKSPACE", raising=False)
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "home" / ".amlsdk")
    monkeypatch.chdir(tmp_path / "project" / "sub")
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "shared")
    monkeypatch.setenv("AMLSDK_WORKSPACE", str(tmp_path / "named"))
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "named")
    with amlsdk.connect(tmp_path / "given") as workspace:
        assert workspace.location == str(tmp_path / "given")


def test_a_workspace_is_made_only_where_that_is_wanted(tmp_path, caplog):
    with pytest.raises(NotFound, match="create"):
        amlsdk.connect(tmp_path / "missing", create=False)
    assert not (tmp_path / "missing").exists()
    with caplog.at_level(logging.INFO, logger="amlsdk"):
        amlsdk.connect(tmp_path / "missing").close()
    assert str(tmp_path / "missing") in caplog.text
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(InvalidArgument, match="full"):
        amlsdk.connect(tmp_path / "full")


def test_collections_answer_as_their_users_expect(workspace):
    projects = workspace.projects
    wine = projects.create("wine", description="reds")
    assert "wine" in projects
    assert wine.id in projects
    assert "beer" not in projects
    assert projects["wine"] == wine == projects.get(wine.id)
    assert [project.name for project in projects] == ["wine"]
    with pytest.raises(NotFound, match="'beer'.*'wine'"):
        projects.get("beer")
    projects.delete("beer")
    projects.delete("wine")
    assert list(projects) == []


def test_eight_processes_log_to_one_workspace_at_once(tmp_path):
    script = (
        "import sys, amlsdk\n"
        "with amlsdk.connect(sys.argv[1]) as ws:\n"
        "    e = ws.projects.get_or_create('p').experiments.get_or_create('e')\n"
        "    for number in range(5):\n"
        "        with e.start_run() as run:\n"
        "            for step in range(100): run.log('loss', step)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "workspace")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        runs = workspace.runs.list()
        assert len(runs) == 40
        assert sorted(run.number for run in runs) == list(range(1, 41))
        assert {run.record.status for run in runs} == {"Completed"}
        assert all(run.record.metrics["loss"].count == 100 for run in runs)

"""What every test gets: a display, databases, and a watch over logs, Qt's messages and skips."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.house import display, postgres, watch

# An example's time is the machine's business: under load a drawn example takes what it takes.
hypothesis.settings.register_profile("kmc", deadline=None)
hypothesis.settings.load_profile("kmc")

_DISPLAY = pytest.StashKey[display.Display]()
_POSTGRES = pytest.StashKey[postgres.Cluster]()


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the whole run, and a display for each process that runs tests."""
    worker_input = getattr(config, "workerinput", None)
    home = Path(worker_input["kmc_home"]) if worker_input else postgres.new_home()
    config.stash[_POSTGRES] = postgres.Cluster(home)
    if not worker_input:
        signal.signal(signal.SIGTERM, _stop)
    runs_tests = worker_input is not None or not getattr(config.option, "numprocesses", None)
    if runs_tests and not config.option.collectonly:
        config.stash[_DISPLAY] = display.Display.opened()


def _stop(_number: int, _frame: object) -> None:
    """A run that is told to end takes its PostgreSQL along."""
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tells a worker of pytest-xdist where the run's folder is."""
    node.workerinput["kmc_home"] = str(node.config.stash[_POSTGRES].home)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what this process started; the run's folder goes with the process that made it."""
    if opened := config.stash.get(_DISPLAY, None):
        opened.close()
    if not hasattr(config, "workerinput"):
        config.stash[_POSTGRES].remove()


@pytest.fixture(autouse=True)
def _no_unexpected_words(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test on a log record of level ERROR or above, or a Qt warning, that it does not expect."""
    marker = request.node.get_closest_marker("expects_log")
    with watch.listening() as words:
        yield
    unexpected = words.unexpected(None if marker is None else marker.args)
    assert not unexpected, "unexpected: " + "; ".join(unexpected)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A fixture may have loaded Qt since the watch began."""
    watch.hear_qt()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip names the command that makes it run; in CI there is none."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        watch.judge_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    if report.skipped:
        watch.judge_skip(report)
    return report


@pytest.fixture
def x_display(request: pytest.FixtureRequest) -> str:
    """The name of an X display with a screen of 1920 by 1920; also in the environment as DISPLAY."""
    opened = request.config.stash[_DISPLAY]
    if not opened.name:
        pytest.skip("Xvfb is missing: apt-get install xvfb")
    return opened.name


@pytest.fixture(scope="session")
def postgres_cluster(request: pytest.FixtureRequest) -> Callable[[], postgres.Cluster]:
    """The PostgreSQL of this run; started when it is asked for."""

    def started() -> postgres.Cluster:
        if postgres.programs() is None:
            pytest.skip("PostgreSQL is missing: apt-get install postgresql")
        cluster = request.config.stash[_POSTGRES]
        cluster.start()
        return cluster

    return started


@pytest.fixture
def postgres_url(postgres_cluster: Callable[[], postgres.Cluster]) -> Iterator[str]:
    """SQLAlchemy's URL of a new, empty database on a PostgreSQL that this run started."""
    with postgres_cluster().database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database that central supports."""
    return str(request.param)


@pytest.fixture
def central_database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> str:
    """SQLAlchemy's URL of a new, empty database of each kind."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/central.db"
    return str(request.getfixturevalue("postgres_url"))

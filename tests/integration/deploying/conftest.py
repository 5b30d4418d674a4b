# SPDX-License-Identifier: AGPL-3.0-only
"""One deployment by the scripts for each file of tests; what a test does to it is undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deploying.checkout import DELAY, LOCAL, Scripts, scripts_at


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    with scripts_at(tmp_path_factory.mktemp("checkout"), "tried") as scripts:
        parameters = scripts.folder / "patient.toml"
        # longer than a script runs
        parameters.write_text((scripts.folder / LOCAL).read_text().replace("\ndelay = 10\n", f"\ndelay = {DELAY}\n"))
        scripts.deploy(parameters)
        yield scripts


@pytest.fixture
def scripts(deployed: Scripts) -> Iterator[Scripts]:
    record = deployed.record.read_text()
    mark = deployed.node.rpc.request("evm_snapshot")
    yield deployed
    deployed.node.rpc.request("evm_revert", mark)
    Path(deployed.record).write_text(record)

# SPDX-License-Identifier: AGPL-3.0-only
"""The SDK's reference says what the SDK says, and leaves nothing out."""

import inspect

from ouro.client import errors
from ouro.client.namespaces import Method
from scripts import sdk_reference


def test_the_committed_page_is_current() -> None:
    assert sdk_reference.PAGE.read_text() == sdk_reference.page(), "run python scripts/sdk_reference.py"


def test_every_method_and_error_is_documented() -> None:
    page = sdk_reference.page()
    for name, kind in sdk_reference.NAMESPACES:
        for attribute, value in vars(kind).items():
            if isinstance(value, Method):
                assert f"### `{name}.{attribute}`" in page
                assert inspect.getdoc(value), f"{name}.{attribute} has no docstring"
    for attribute, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.ClientError):
            assert f"`{attribute}`" in page

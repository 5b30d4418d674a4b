# SPDX-License-Identifier: AGPL-3.0-only
"""`python -m bench`: every bench in turn."""

from bench import gas

if __name__ == "__main__":
    gas.main()

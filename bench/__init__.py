# SPDX-License-Identifier: AGPL-3.0-only
"""Measured figures that anyone can reproduce: `python -m bench` prints them, `bench/results` keeps the last ones."""

# SPDX-License-Identifier: Apache-2.0
"""Ouro's shared vocabulary and client SDK."""

# SPDX-License-Identifier: Apache-2.0
"""One typed configuration for all services: `ouro.toml` (or the file of OURO_CONFIG), environment `OURO_*`, flags.

The environment wins over the file, explicit arguments over both. Needs the `services` extra.
"""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """What the services need to know. Ports and addresses are theirs to listen on; keys are hex private keys.

    `events_token` is the secret that the relayer's event log asks for, if one is set: relayer and indexer share it.
    `rpc_url` may hold a provider's key; clients are told of `indexer_public_rpc_url`, or of `rpc_url` if it cannot
    hold one. `indexer_faucet_url` is the service that gives test money away, on chains where there is one.
    `indexer_ip_weight` is what reads from one network address may weigh in ten seconds; 0: anything.
    A node whose newest block is older than `indexer_stale_s` is not to be relied on. What account streams said can be
    asked for again for `indexer_outbox_hours`, and no more than the newest `indexer_outbox_letters` messages.
    `receipt_signer` is the address that signs journal heads, announced to clients: the operator's unless one is given.
    """

    model_config = SettingsConfigDict(env_prefix="OURO_", extra="ignore")

    rpc_url: str = "http://127.0.0.1:8545"
    state_dir: Path = Path(".ouro")
    deployment_path: Path = Path(".ouro/deployment.json")
    relayer_host: str = "127.0.0.1"
    relayer_port: int = 8001
    relayer_url: str = "http://127.0.0.1:8001"
    indexer_host: str = "127.0.0.1"
    indexer_port: int = 8000
    indexer_public_rpc_url: str = ""
    indexer_faucet_url: str = ""
    indexer_stale_s: int = Field(default=120, gt=0)
    indexer_outbox_hours: int = Field(default=24, gt=0)
    indexer_outbox_letters: int = Field(default=1_000_000, ge=0)
    indexer_ip_weight: int = Field(default=10_000, ge=0)
    database_url: str = ""
    events_token: str = Field(default="", repr=False)
    operator_key: str = Field(default="", repr=False)
    receipt_signer: str = ""
    keeper_key: str = Field(default="", repr=False)
    log_level: str = "info"
    confirmations: int = 1

    @property
    def database(self) -> str:
        """The database URL; SQLite in the state folder unless one is given."""
        return self.database_url or f"sqlite:///{self.state_dir / 'indexer.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        file = Path(os.environ.get("OURO_CONFIG", "ouro.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

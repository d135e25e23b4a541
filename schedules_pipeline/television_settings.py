"""The settings of what televisions are told."""

from typing import Annotated

from pydantic import BeforeValidator

from schedules_pipeline import setting_values
from schedules_pipeline.documents.service_list import RegionId, TelevisionRegion, TelevisionService
from schedules_pipeline.setting_groups import SettingGroup, SidText, setting


class TelevisionSettings(SettingGroup):
    """Televisions (DVB-I)"""

    broadcaster_name: str = setting(
        "Schedules", "The broadcaster's name in the service list.", min_length=1, max_length=100
    )
    television_services: Annotated[
        tuple[tuple[SidText, TelevisionService], ...], BeforeValidator(setting_values.pairs)
    ] = setting(
        (),
        "What the service list says of services, by sid (JSON object): the channel `number`, the `regions`, and the "
        "address of the `dash` manifest, each optional.",
        accepts='such as `{"alder_one": {"number": 1, "regions": ["north"]}}`',
    )
    television_regions: Annotated[
        tuple[tuple[RegionId, TelevisionRegion], ...], BeforeValidator(setting_values.pairs)
    ] = setting(
        (),
        "The regions of the service list, by id (JSON object): the `name` and the `countries`, as three-letter codes.",
        accepts='such as `{"north": {"name": "The North", "countries": "GBR"}}`',
    )
    television_url: str = setting(
        "",
        "The address under which televisions ask, if it is not the one that reaches the service: that of a CDN.",
        pattern="^(https?://[^/ ]+)?$",
        accepts="`http://` or `https://` and a host, without a path",
    )

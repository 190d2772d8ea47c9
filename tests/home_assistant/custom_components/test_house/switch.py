"""Switches: the one by which a satellite is muted, and the plug that powers an Echo."""

from homeassistant.components.switch import SwitchEntity


async def async_setup_platform(hass, config, async_add_entities, discovery_info=None):
    """Add both."""
    async_add_entities([Switch("Kitchen mute", False), Switch("Echo plug", True)])


class Switch(SwitchEntity):
    """A switch that does what it is told."""

    _attr_should_poll = False

    def __init__(self, name, is_on):
        """Give it the state that it has at the start."""
        self._attr_name = name
        self._attr_unique_id = name.lower().replace(" ", "_")
        self._attr_is_on = is_on

    async def async_turn_on(self, **kwargs):
        """Turn it on."""
        self._attr_is_on = True
        self.async_write_ha_state()

    async def async_turn_off(self, **kwargs):
        """Turn it off."""
        self._attr_is_on = False
        self.async_write_ha_state()

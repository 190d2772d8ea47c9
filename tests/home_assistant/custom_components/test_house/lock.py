"""The back door: a lock that does what it is told."""

from homeassistant.components.lock import LockEntity


async def async_setup_platform(hass, config, async_add_entities, discovery_info=None):
    """Add the one lock."""
    async_add_entities([BackDoor()])


class BackDoor(LockEntity):
    """A lock that is locked at the start."""

    _attr_name = "Back door"
    _attr_unique_id = "back_door"
    _attr_should_poll = False
    _attr_is_locked = True

    async def async_lock(self, **kwargs):
        """Lock it."""
        self._attr_is_locked = True
        self.async_write_ha_state()

    async def async_unlock(self, **kwargs):
        """Unlock it."""
        self._attr_is_locked = False
        self.async_write_ha_state()
